/**
 * The shape of a definition in one line, and its hash. Two definitions with the same fingerprint
 * have the same steps in the same order with the same codecs by name, so a running saga can go on.
 * What functions do inside is not seen; change the version when that changes.
 */
import { createHash } from 'node:crypto'
import type { Codec, StepDefinition } from './definition.js'

export interface Shape {
  readonly name: string
  readonly version: number
  readonly input: Codec
  readonly hasLane: boolean
  readonly steps: readonly StepDefinition[]
}

function lineOf({ name, phase, out, action }: StepDefinition): string {
  const where = action.kind === 'remote' ? `remote ${action.to.name}` : 'local'
  const undo = action.undo === undefined ? 'no undo' : 'undo'
  return `${phase} ${name}: ${out.name}, ${where}, ${undo}`
}

/** The shape for people: one line per step. */
export function shapeLines({ name, version, input, hasLane, steps }: Shape): readonly string[] {
  const first = `${name} ${version}: ${input.name}${hasLane ? ', in a lane' : ''}`
  return [first, ...steps.map(lineOf)]
}

/** Sixteen hexadecimal digits that name a shape. */
export function fingerprintOf(shape: Shape): string {
  const text = shapeLines(shape).join('\n')
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
