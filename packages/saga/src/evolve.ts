/**
 * The state of one saga and how its events make it. Pure and total: what is in the stream
 * happened.
 */
import { assert, unreachable } from '@sagalog/kernel'
import * as O from 'fp-ts/lib/Option.js'
import type { InboxMessage, LanePlace, ParentRef } from './inbox.js'
import type { EndReason, SagaEvent } from './saga-events.js'
import { noSteps, type StepStates, stepStatesOf } from './step-states.js'

export type StepState =
  /** Waits for its limit: it cannot have happened. */
  | { readonly status: 'queued'; readonly attempt: number }
  | { readonly status: 'started'; readonly attempt: number; readonly since: number }
  | { readonly status: 'done'; readonly result: unknown }
  | { readonly status: 'skipped' }
  | { readonly status: 'refused' }
  /** It may have happened. */
  | { readonly status: 'doubt' }
  | {
      readonly status: 'undoing'
      readonly done: O.Option<unknown>
      readonly attempt: number
      readonly since: number
    }
  /** What it had done stays readable for the undos and releases that follow. */
  | { readonly status: 'undone'; readonly done: O.Option<unknown> }
  /** It happened, or may have, and stays. */
  | { readonly status: 'kept' }

export type SagaPhase = 'none' | 'running' | 'undoing' | 'completed' | 'compensated'

export interface SagaState {
  readonly phase: SagaPhase
  /** Why it waits for a person. */
  readonly parked: string | undefined
  /** What came while it waited. */
  readonly keptMessages: readonly InboxMessage[]
  /** As its codec encoded it. */
  readonly input: unknown
  readonly version: number
  readonly fingerprint: string
  readonly startedAtMs: number
  readonly endedAtMs: number | undefined
  readonly lane: LanePlace | undefined
  readonly parent: ParentRef | undefined
  /** What others know it by, as long as it runs. */
  readonly businessKey: string | undefined
  /** The steps that were begun, by name, in that order; in a loop each run by itself. */
  readonly steps: StepStates
  /** How many items the loops have, by step. */
  readonly loops: Readonly<Record<string, number>>
  /** What came before or while it was waited for, by signal; the first counts. */
  readonly signals: Readonly<Record<string, { readonly value: unknown }>>
  /** Why it is compensated, from the first moment on. */
  readonly reason: EndReason | undefined
  readonly isRevoked: boolean
}

export const sagaInitial: SagaState = {
  phase: 'none',
  parked: undefined,
  keptMessages: [],
  input: undefined,
  version: 0,
  fingerprint: '',
  startedAtMs: 0,
  endedAtMs: undefined,
  lane: undefined,
  parent: undefined,
  businessKey: undefined,
  steps: noSteps,
  loops: {},
  signals: {},
  reason: undefined,
  isRevoked: false,
}

/** True when nothing can happen to the saga any more, but that a parent revokes it. */
export function hasEnded(state: SagaState): boolean {
  return state.phase === 'completed' || state.phase === 'compensated'
}

function withStep(state: SagaState, step: string, next: StepState): SagaState {
  return { ...state, steps: state.steps.with(step, next) }
}

/** What an undo is told about the step that it undoes. */
function doneOf(step: StepState | undefined): O.Option<unknown> {
  return step?.status === 'done' ? O.some(step.result) : O.none
}

/** From here on it is compensated: all that runs may have happened. */
function turnedBack(state: SagaState, reason: EndReason): SagaState {
  let { steps } = state
  for (const [name, step] of steps.entries()) {
    if (step.status === 'started') steps = steps.with(name, { status: 'doubt' })
    if (step.status === 'queued') steps = steps.with(name, { status: 'skipped' })
  }
  return { ...state, steps, phase: 'undoing', reason }
}

type EventOf<Type extends SagaEvent['type']> = Extract<SagaEvent, { readonly type: Type }>

function undoAgain(state: SagaState, data: EventOf<'UndoResent'>['data']): SagaState {
  const { step, attempt, since } = data
  const before = state.steps.get(step)
  assert(before?.status === 'undoing', 'only what is being undone is asked for again')
  return withStep(state, step, { ...before, attempt, since: since ?? before.since })
}

function runAgain(state: SagaState, data: EventOf<'StepResent'>['data']): SagaState {
  const { step, attempt, since } = data
  const before = state.steps.get(step)
  const first = before?.status === 'started' ? before.since : 1
  return withStep(state, step, { status: 'started', attempt, since: since ?? first })
}

function migrated(state: SagaState, data: EventOf<'Migrated'>['data']): SagaState {
  const { version, fingerprint, input, results } = data
  const done = Object.entries(results).map(([name, result]): readonly [string, StepState] => [
    name,
    { status: 'done', result },
  ])
  const others = state.steps.entries().filter(([, { status }]) => status !== 'done')
  const steps = stepStatesOf([...done, ...others])
  return { ...state, version, fingerprint, input, steps }
}

/** Events that begin or go on with a step. */
function evolveStep(state: SagaState, event: SagaEvent): SagaState | undefined {
  switch (event.type) {
    case 'StepQueued': {
      const { step, attempt } = event.data
      return withStep(state, step, { status: 'queued', attempt })
    }
    case 'StepStarted': {
      const { step, attempt = 1 } = event.data
      return withStep(state, step, { status: 'started', attempt, since: 1 })
    }
    case 'StepSkipped':
      return withStep(state, event.data.step, { status: 'skipped' })
    case 'LoopStarted': {
      const { step, count } = event.data
      return { ...state, loops: { ...state.loops, [step]: count } }
    }
    case 'StepResent':
      return runAgain(state, event.data)
    case 'StepFailed':
    case 'UndoFailed':
      // The attempt after it is counted when it begins.
      return state
    case 'StepDone':
      return withStep(state, event.data.step, { status: 'done', result: event.data.result })
    case 'UndoStarted': {
      const { step } = event.data
      const done = doneOf(state.steps.get(step))
      return withStep(state, step, { status: 'undoing', done, attempt: 1, since: 1 })
    }
    case 'UndoResent':
      return undoAgain(state, event.data)
    case 'UndoDone': {
      const { step } = event.data
      const before = state.steps.get(step)
      const done = before?.status === 'undoing' ? before.done : O.none
      return withStep(state, step, { status: 'undone', done })
    }
    case 'UndoSkipped':
      return withStep(state, event.data.step, { status: 'kept' })
    default:
      return undefined
  }
}

/** Events after which it is compensated. */
function evolveBack(state: SagaState, event: SagaEvent): SagaState | undefined {
  switch (event.type) {
    case 'StepRefused': {
      const { step, refusal } = event.data
      const next = withStep(state, step, { status: 'refused' })
      return turnedBack(next, { kind: 'refused', step, refusal })
    }
    case 'StepTimedOut': {
      const { step } = event.data
      return turnedBack(withStep(state, step, { status: 'doubt' }), { kind: 'timeout', step })
    }
    case 'StepExhausted': {
      const { step, message } = event.data
      const next = withStep(state, step, { status: 'doubt' })
      return turnedBack(next, { kind: 'exhausted', step, message })
    }
    case 'Cancelled':
      return turnedBack(state, event.data.reason)
    case 'Revoked': {
      const reason = { kind: 'cancelled' as const, message: 'its parent is compensated' }
      return { ...turnedBack(state, reason), isRevoked: true, endedAtMs: undefined }
    }
    default:
      return undefined
  }
}

type WholeEvent = EventOf<(typeof wholeTypes)[number]>
const wholeTypes = [
  'Started',
  'Migrated',
  'SignalReceived',
  'Completed',
  'Compensated',
  'Parked',
  'Resumed',
] as const
const isWhole = (event: SagaEvent): event is WholeEvent =>
  wholeTypes.some((type) => type === event.type)

function evolveWhole(state: SagaState, event: WholeEvent): SagaState {
  switch (event.type) {
    case 'Started': {
      const { input, version, fingerprint, atMs, lane, parent, businessKey } = event.data
      const started = { input, version, fingerprint, startedAtMs: atMs, lane, parent, businessKey }
      return { ...state, phase: 'running', ...started }
    }
    case 'Migrated':
      return migrated(state, event.data)
    case 'SignalReceived': {
      const { signal, value } = event.data
      return { ...state, signals: { ...state.signals, [signal]: { value } } }
    }
    case 'Completed':
      return { ...state, phase: 'completed', endedAtMs: event.data.atMs }
    case 'Compensated': {
      assert(state.phase === 'undoing', 'a saga is compensated after its last undo')
      return { ...state, phase: 'compensated', endedAtMs: event.data.atMs }
    }
    case 'Parked': {
      const { reason, message } = event.data
      const keptMessages =
        message === undefined ? state.keptMessages : [...state.keptMessages, message]
      return { ...state, parked: reason, keptMessages }
    }
    case 'Resumed':
      return { ...state, parked: undefined, keptMessages: [] }
    default:
      return unreachable(event)
  }
}

/** The state after one more event. */
export function evolve(state: SagaState, event: SagaEvent): SagaState {
  if (isWhole(event)) return evolveWhole(state, event)
  const next = evolveStep(state, event) ?? evolveBack(state, event)
  assert(next !== undefined, `the event ${event.type} is known`)
  return next
}
