/** Definitions of any shape, for tests of what holds for all of them. */
import { topic } from '@sagalog/client'
import { fingerprintOf, type SagaDefinition, type StepDefinition } from '@sagalog/saga'
import { InboxMessage, laneEvents, sagaEvents } from '@sagalog/saga'
import fc from 'fast-check'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'

export interface StepShape {
  readonly kind: 'remote' | 'local'
  readonly hasTimer: boolean
}

export interface SagaShape {
  readonly steps: readonly StepShape[]
  readonly pivot: StepShape | undefined
  readonly thens: readonly StepShape[]
}

const Commands = topic('commands', t.unknown)

function stepOf(
  name: string,
  phase: StepDefinition['phase'],
  { kind, hasTimer }: StepShape,
  attemptsMax: number,
): StepDefinition {
  const isUndone = phase === 'step'
  const timeoutMs = hasTimer ? () => 10 : undefined
  if (kind === 'remote') {
    const undo = isUndone ? () => 'undo' : undefined
    const action = { kind, to: Commands, refusal: t.unknown, run: () => 'run', undo, timeoutMs }
    return { name, phase, out: t.unknown, attemptsMax, action }
  }
  const undo = isUndone ? () => TE.right(undefined) : undefined
  const action = { kind, run: () => TE.right('done'), undo, timeoutMs: undefined }
  return { name, phase, out: t.unknown, attemptsMax, action }
}

export function definitionOf({ steps, pivot, thens }: SagaShape, attemptsMax = 3): SagaDefinition {
  const all = [
    ...steps.map((step, index) => stepOf(`step-${index}`, 'step', step, attemptsMax)),
    ...(pivot === undefined ? [] : [stepOf('pivot', 'pivot', pivot, attemptsMax)]),
    ...thens.map((step, index) => stepOf(`then-${index}`, 'then', step, attemptsMax)),
  ]
  const shape = { name: 'any', version: 1, input: t.unknown, hasLane: false, steps: all }
  return {
    ...shape,
    fingerprint: fingerprintOf(shape),
    inbox: topic('saga-any', InboxMessage),
    events: sagaEvents('any'),
    laneEvents: laneEvents('any'),
    laneOf: () => undefined,
  }
}

const stepShape = fc.record({
  kind: fc.constantFrom('remote' as const, 'local' as const),
  hasTimer: fc.boolean(),
})

export const sagaShape: fc.Arbitrary<SagaShape> = fc
  .record({
    steps: fc.array(stepShape, { maxLength: 5 }),
    pivot: fc.option(stepShape, { nil: undefined }),
    thens: fc.array(stepShape, { maxLength: 2 }),
  })
  .filter(({ steps, pivot, thens }) => steps.length + thens.length > 0 || pivot !== undefined)
