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

function whereOf({ action }: StepDefinition): string {
  switch (action.kind) {
    case 'remote':
      return `remote ${action.to.name}`
    case 'child':
      return `child ${action.child.name} ${action.child.version}`
    default:
      return action.kind
  }
}

function lineOf(step: StepDefinition, steps: readonly StepDefinition[]): string {
  const { name, phase, out, action, when, items, stage } = step
  const undo = action.undo === undefined ? 'no undo' : 'undo'
  const beside = steps.some((other) => other !== step && other.stage === stage)
  const notes = [
    ...(beside ? [`in stage ${stage + 1}`] : []),
    ...(when === undefined ? [] : ['on a condition']),
    ...(items === undefined ? [] : ['for each item']),
  ]
  return [`${phase} ${name}: ${out.name}`, whereOf(step), undo, ...notes].join(', ')
}

/** The shape for people: one line per step. */
export function shapeLines({ name, version, input, hasLane, steps }: Shape): readonly string[] {
  const first = `${name} ${version}: ${input.name}${hasLane ? ', in a lane' : ''}`
  return [first, ...steps.map((step) => lineOf(step, steps))]
}

/** Sixteen hexadecimal digits that name a shape. */
export function fingerprintOf(shape: Shape): string {
  const text = shapeLines(shape).join('\n')
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}

/** What changed between two shapes, as lines that were taken away (`-`) and that came (`+`). */
export function shapeDiff(before: readonly string[], after: readonly string[]): readonly string[] {
  const gone = before.filter((line) => !after.includes(line)).map((line) => `- ${line}`)
  const come = after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`)
  if (gone.length + come.length > 0) return [...gone, ...come]
  return ['  the same steps in another order:', ...after.map((line) => `  ${line}`)]
}
