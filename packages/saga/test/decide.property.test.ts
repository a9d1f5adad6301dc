/**
 * One saga against a world that answers, refuses, stays silent, answers late, twice and in any
 * order. Whatever the schedule: it ends, completed or compensated and never both, and undoes in
 * reverse.
 */
import { type Random } from '@sagalog/kernel'
import { below } from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import {
  decide,
  type Effect,
  evolve,
  hasEnded,
  type SagaDefinition,
  type SagaEvent,
  sagaInitial,
  type SagaInput,
  type SagaState,
} from '@sagalog/saga'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { definitionOf, sagaShape } from './shapes.js'

interface Counts {
  completed: number
  compensated: number
  refused: number
  timedOut: number
  exhausted: number
  resent: number
  duplicates: number
  ignored: number
  operated: number
}

const sagaId = 's1'

/** What may come of an effect: messages, in any order, some of them never needed. */
function answers(effect: Effect, random: Random): readonly SagaInput[] {
  if (!('step' in effect)) return []
  const step = effect.name
  if (effect.kind === 'timer' || effect.kind === 'undo-timer') {
    const action = effect.kind === 'timer' ? undefined : 'undo'
    return [{ kind: 'timeout', sagaId, step, attempt: effect.attempt, action }]
  }
  if (effect.kind !== 'command' && effect.kind !== 'act') return []
  const again: SagaInput[] =
    effect.kind === 'act' && effect.delayMs > 0
      ? [{ kind: 'continue', sagaId, step, attempt: effect.attempt, more: undefined }]
      : []
  if (again.length > 0) return again
  if (effect.action === 'undo') {
    const undone: SagaInput = { kind: 'undone', sagaId, step }
    const failed = { kind: 'failed' as const, sagaId, step, action: 'undo' as const, message: 'x' }
    return effect.kind === 'act' && below(random, 4) === 0 ? [failed] : [undone]
  }
  const canRefuse = effect.step.phase !== 'then'
  const done: SagaInput = { kind: 'done', sagaId, step, result: below(random, 100) }
  const draw = below(random, 10)
  if (draw < 2 && canRefuse) return [{ kind: 'refused', sagaId, step, refusal: 'no' }]
  if (effect.kind === 'act' && draw < 6)
    return [{ kind: 'failed', sagaId, step, action: 'run', message: 'gone' }]
  // Silence is allowed only where a timer breaks it, and not for ever after the pivot.
  const isHeard = effect.step.action.timeoutMs === undefined || effect.step.phase !== 'step'
  return draw < 5 && !isHeard ? [] : [done]
}

interface Run {
  readonly history: readonly SagaEvent[]
  readonly state: SagaState
}

function runSaga(definition: SagaDefinition, random: Random, counts: Counts): Run {
  const start: SagaInput = { kind: 'start', sagaId, input: 1, lane: undefined, parent: undefined }
  const pool: SagaInput[] = [start]
  const history: SagaEvent[] = []
  let state = sagaInitial
  let duplicates = 6
  while (pool.length > 0) {
    const index = below(random, pool.length)
    const input = pool[index]
    if (input === undefined) break
    if (duplicates > 0 && below(random, 5) === 0) {
      duplicates -= 1
      counts.duplicates += 1
    } else pool.splice(index, 1)
    const { events, effects } = decide(definition, state, input, 5)
    if (events.length === 0) counts.ignored += 1
    expect(hasEnded(state) ? events : []).toEqual([])
    history.push(...events)
    state = events.reduce(evolve, state)
    for (const effect of effects) pool.push(...answers(effect, random))
    if (state.parked === undefined) continue
    counts.operated += 1
    const retry = { kind: 'operator' as const, sagaId, action: 'retry' as const, by: 'test' }
    pool.push({ ...retry, step: undefined, result: null })
  }
  return { history, state }
}

const namesOf = (history: readonly SagaEvent[], type: SagaEvent['type']): string[] =>
  history.flatMap((event) => (event.type === type && 'step' in event.data ? [event.data.step] : []))

function check(definition: SagaDefinition, { history, state }: Run): void {
  const types = history.map((event) => event.type)
  expect(hasEnded(state), 'every saga ends').toBe(true)
  expect(history.reduce(evolve, sagaInitial)).toEqual(state)
  const ends = types.filter((type) => type === 'Completed' || type === 'Compensated')
  expect(ends, 'once, and never both').toHaveLength(1)
  expect(types.at(-1)).toBe(ends[0])
  const started = namesOf(history, 'StepStarted')
  expect(started).toEqual(definition.steps.slice(0, started.length).map((step) => step.name))
  const undone = namesOf(history, 'UndoDone')
  expect(namesOf(history, 'UndoStarted'), 'one undo after another').toEqual(undone)
  if (state.phase === 'completed') {
    const done = namesOf(history, 'StepDone')
    expect(done.toSorted()).toEqual(definition.steps.map((step) => step.name).toSorted())
    return expect(undone).toEqual([])
  }
  const refused = namesOf(history, 'StepRefused')
  const owed = started.filter((name) => !refused.includes(name))
  expect(undone, 'all that may have happened, in reverse').toEqual(owed.reverse())
  const byName = new Map(definition.steps.map((step) => [step.name, step.phase]))
  expect(undone.every((name) => byName.get(name) === 'step')).toBe(true)
}

describe('a saga, whatever the order of what it hears', () => {
  it('ends completed or compensated, never both, and undoes in reverse', () => {
    const counts: Counts = {
      completed: 0,
      compensated: 0,
      refused: 0,
      timedOut: 0,
      exhausted: 0,
      resent: 0,
      duplicates: 0,
      ignored: 0,
      operated: 0,
    }
    fc.assert(
      fc.property(sagaShape, fc.integer({ min: 0 }), (shape, seed) => {
        const definition = definitionOf(shape, 3)
        const run = runSaga(definition, seededRandom(seed), counts)
        check(definition, run)
        if (run.state.phase === 'completed') counts.completed += 1
        if (run.state.phase === 'compensated') counts.compensated += 1
        counts.refused += namesOf(run.history, 'StepRefused').length
        counts.timedOut += namesOf(run.history, 'StepTimedOut').length
        counts.exhausted += namesOf(run.history, 'StepExhausted').length
        counts.resent += namesOf(run.history, 'StepResent').length
      }),
      { numRuns: 1_000 },
    )
    for (const [what, count] of Object.entries(counts))
      expect(count, `reached: ${what}`).toBeGreaterThan(10)
  })
})
