/** Definitions of any shape, for tests of what holds for all of them. */
import { topic } from '@sagalog/client'
import { defineSaga, type SagaDefinition, type StepDefinition } from '@sagalog/saga'
import fc from 'fast-check'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'

export interface StepShape {
  readonly kind: 'remote' | 'local'
  readonly hasTimer: boolean
}

export interface SagaShape {
  /** `isBeside`: it runs side by side with the step before it. */
  readonly steps: readonly (StepShape & { readonly isBeside?: boolean })[]
  readonly pivot: StepShape | undefined
  readonly thens: readonly StepShape[]
}

const Commands = topic('commands', t.unknown)

function stepOf(
  { name, phase, stage }: Pick<StepDefinition, 'name' | 'phase' | 'stage'>,
  { kind, hasTimer }: StepShape,
  attemptsMax: number,
): StepDefinition {
  const isUndone = phase === 'step'
  const timeoutMs = hasTimer ? () => 10 : undefined
  const common = {
    name,
    phase,
    stage,
    out: t.unknown,
    attemptsMax,
    backoff: { firstMs: 1, maxMs: 4 },
    irreversible: undefined,
    when: undefined,
    items: undefined,
    limit: undefined,
  }
  if (kind === 'remote') {
    const undo = isUndone ? () => 'undo' : undefined
    const action = { kind, to: Commands, refusal: t.unknown, run: () => 'run', undo, timeoutMs }
    return { ...common, action }
  }
  const undo = isUndone ? () => TE.right(undefined) : undefined
  const action = { kind, run: () => TE.right('done'), undo, timeoutMs: undefined }
  return { ...common, action }
}

export function definitionOf({ steps, pivot, thens }: SagaShape, attemptsMax = 3): SagaDefinition {
  const all: StepDefinition[] = []
  let stage = -1
  const add = (
    phase: StepDefinition['phase'],
    name: string,
    shape: StepShape & { readonly isBeside?: boolean },
  ): void => {
    if (shape.isBeside !== true || stage < 0) stage += 1
    all.push(stepOf({ name, phase, stage }, shape, attemptsMax))
  }
  steps.forEach((step, index) => add('step', `step-${index}`, step))
  if (pivot !== undefined) add('pivot', 'pivot', pivot)
  thens.forEach((step, index) => add('then', `then-${index}`, step))
  return defineSaga({ name: 'any', version: 1, input: t.unknown }, all)
}

const stepShape = fc.record({
  kind: fc.constantFrom('remote' as const, 'local' as const),
  hasTimer: fc.boolean(),
})

const besideShape = fc.record({
  kind: fc.constantFrom('remote' as const, 'local' as const),
  hasTimer: fc.boolean(),
  isBeside: fc.boolean(),
})

export const sagaShape: fc.Arbitrary<SagaShape> = fc
  .record({
    steps: fc.array(besideShape, { maxLength: 5 }),
    pivot: fc.option(stepShape, { nil: undefined }),
    thens: fc.array(stepShape, { maxLength: 2 }),
  })
  .filter(({ steps, pivot, thens }) => steps.length + thens.length > 0 || pivot !== undefined)
