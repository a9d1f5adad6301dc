/**
 * The state of one saga and how its events make it. Pure and total: what is in the stream
 * happened.
 */
import { assert, unreachable } from '@sagalog/kernel'
import * as O from 'fp-ts/lib/Option.js'
import type { LanePlace } from './inbox.js'
import type { EndReason, SagaEvent } from './saga-events.js'

export type StepState =
  | { readonly status: 'started'; readonly attempt: number }
  | { readonly status: 'done'; readonly result: unknown }
  | { readonly status: 'refused' }
  /** It may have happened. */
  | { readonly status: 'doubt' }
  | { readonly status: 'undoing'; readonly done: O.Option<unknown> }
  | { readonly status: 'undone' }

export type SagaPhase = 'none' | 'running' | 'undoing' | 'completed' | 'compensated'

export interface SagaState {
  readonly phase: SagaPhase
  /** Why it waits for a person. */
  readonly parked: string | undefined
  /** As its codec encoded it. */
  readonly input: unknown
  readonly version: number
  readonly fingerprint: string
  readonly startedAtMs: number
  readonly endedAtMs: number | undefined
  readonly lane: LanePlace | undefined
  /** The steps that were started, by name, in the order of their start. */
  readonly steps: Readonly<Record<string, StepState>>
  /** The step that runs, or the one that is being undone. */
  readonly current: string | undefined
  /** Why it is compensated, from the first moment on. */
  readonly reason: EndReason | undefined
}

export const sagaInitial: SagaState = {
  phase: 'none',
  parked: undefined,
  input: undefined,
  version: 0,
  fingerprint: '',
  startedAtMs: 0,
  endedAtMs: undefined,
  lane: undefined,
  steps: {},
  current: undefined,
  reason: undefined,
}

/** True when nothing can happen to the saga any more. */
export function hasEnded(state: SagaState): boolean {
  return state.phase === 'completed' || state.phase === 'compensated'
}

function withStep(state: SagaState, step: string, next: StepState): SagaState {
  return { ...state, current: step, steps: { ...state.steps, [step]: next } }
}

/** What an undo is told about the step that it undoes. */
function doneOf(step: StepState | undefined): O.Option<unknown> {
  return step?.status === 'done' ? O.some(step.result) : O.none
}

/** The state after one more event. */
export function evolve(state: SagaState, event: SagaEvent): SagaState {
  switch (event.type) {
    case 'Started': {
      const { input, version, fingerprint, atMs, lane } = event.data
      return { ...state, phase: 'running', input, version, fingerprint, startedAtMs: atMs, lane }
    }
    case 'StepStarted':
      return withStep(state, event.data.step, { status: 'started', attempt: 1 })
    case 'StepResent':
      return withStep(state, event.data.step, { status: 'started', attempt: event.data.attempt })
    case 'StepDone':
      return withStep(state, event.data.step, { status: 'done', result: event.data.result })
    case 'StepRefused': {
      const { step, refusal } = event.data
      const reason = { kind: 'refused' as const, step, refusal }
      return { ...withStep(state, step, { status: 'refused' }), phase: 'undoing', reason }
    }
    case 'StepTimedOut': {
      const { step } = event.data
      const reason = { kind: 'timeout' as const, step }
      return { ...withStep(state, step, { status: 'doubt' }), phase: 'undoing', reason }
    }
    case 'StepExhausted': {
      const { step, message } = event.data
      const reason = { kind: 'exhausted' as const, step, message }
      return { ...withStep(state, step, { status: 'doubt' }), phase: 'undoing', reason }
    }
    case 'UndoStarted': {
      const { step } = event.data
      return withStep(state, step, { status: 'undoing', done: doneOf(state.steps[step]) })
    }
    case 'UndoDone':
      return withStep(state, event.data.step, { status: 'undone' })
    case 'Completed':
      return { ...state, phase: 'completed', current: undefined, endedAtMs: event.data.atMs }
    case 'Compensated': {
      assert(state.phase === 'undoing', 'a saga is compensated after its last undo')
      return { ...state, phase: 'compensated', current: undefined, endedAtMs: event.data.atMs }
    }
    case 'Parked':
      return { ...state, parked: event.data.reason }
    default:
      return unreachable(event)
  }
}
