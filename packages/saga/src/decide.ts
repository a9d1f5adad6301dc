/**
 * What a saga does about a message: the events to append, and what they ask for. Pure: time comes
 * in, effects are data, and a message that no longer matters gives nothing. The ways forward and
 * back are modules of their own; this one says which message goes where.
 */
import { assert, unreachable } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import {
  isPastTurning,
  onCancel,
  onContinueUndo,
  onRevoke,
  onUndoFailed,
  onUndone,
  onUndoTimeout,
} from './backward.js'
import { onBlocking } from './deadlock.js'
import type { Migratable, SagaDefinition } from './definition.js'
import { hasEnded, type SagaState } from './evolve.js'
import {
  beginStage,
  onContinueRun,
  onDone,
  onGranted,
  onRefused,
  onRunFailed,
  onSignal,
  onTimeout,
} from './forward.js'
import { onOperator } from './operate.js'
import { keyProblem } from './printable-key.js'
import type { SagaEvent } from './saga-events.js'
import {
  ask,
  type Decision,
  type Effect,
  happen,
  type InputOf,
  newTurn,
  park,
  reportOf,
  type SagaInput,
  type Turn,
} from './turn.js'

export type { Decision, Effect, SagaInput }

const nothing: Decision = { events: [], effects: [] }

function started(
  { definition, nowMs }: Turn,
  start: InputOf<'start'>,
  businessKey: string | undefined,
): SagaEvent {
  const { input, lane, parent } = start
  const { version, fingerprint } = definition
  const data = { input, version, fingerprint, atMs: nowMs, lane, parent, businessKey }
  return { type: 'Started', data }
}

function businessKeyOf(definition: SagaDefinition, input: unknown): string | undefined {
  const businessKey = definition.businessKeyOf(input)
  const problem = businessKey === undefined ? undefined : keyProblem(businessKey)
  assert(problem === undefined, `the business key can be used: ${problem}`)
  return businessKey
}

function onStart(turn: Turn, input: InputOf<'start'>): void {
  const { definition } = turn
  const read = definition.input.decode(input.input)
  const businessKey = E.isLeft(read) ? undefined : businessKeyOf(definition, read.right)
  happen(turn, started(turn, input, businessKey))
  if (E.isLeft(read))
    return park(turn, `its input does not fit its codec: ${reportOf(read.left)}`, input)
  if (definition.deadlineMs(read.right) !== undefined) ask(turn, { kind: 'deadline' })
  beginStage(turn, 0)
}

function onContinue(turn: Turn, { step, attempt, more = [] }: InputOf<'continue'>): void {
  for (const name of [step, ...more]) {
    onContinueRun(turn, name, attempt)
    onContinueUndo(turn, name, attempt)
  }
}

function onFailed(turn: Turn, { step, action, message }: InputOf<'failed'>): void {
  if (action === 'undo') onUndoFailed(turn, step, message)
  else onRunFailed(turn, step, message, false)
}

function mismatch(definition: SagaDefinition, state: SagaState): string {
  const { name, version, fingerprint } = definition
  return (
    `it was started by ${name} version ${state.version} (fingerprint ${state.fingerprint}), ` +
    `and this program has version ${version} (fingerprint ${fingerprint})`
  )
}

function dispatch(turn: Turn, input: SagaInput): void {
  switch (input.kind) {
    case 'start':
      return onStart(turn, input)
    case 'done':
      return onDone(turn, input)
    case 'refused':
      return onRefused(turn, input)
    case 'timeout':
      return input.action === 'undo' ? onUndoTimeout(turn, input) : onTimeout(turn, input)
    case 'failed':
      return onFailed(turn, input)
    case 'late':
      return onRunFailed(turn, input.step, 'its time was up', true)
    case 'undone':
      return onUndone(turn, input)
    case 'continue':
      return onContinue(turn, input)
    case 'granted':
      return onGranted(turn, input)
    case 'signal':
      return onSignal(turn, input)
    case 'deadline':
    case 'cancel':
      return onCancel(turn, input)
    case 'blocking':
      return onBlocking(turn, input)
    case 'revoke':
      return onRevoke(turn, input)
    case 'operator':
      return onOperator(turn, input, (message) => dispatch(turn, message))
    default:
      return unreachable(input)
  }
}

/** Results of steps that were done, as their codecs encoded them. */
function resultsOf({ steps }: SagaState): Readonly<Record<string, unknown>> {
  const done = Object.entries(steps).flatMap(([name, step]) =>
    step.status === 'done' ? [[name, step.result] as const] : [],
  )
  return Object.fromEntries(done)
}

/** Carries a saga of another version over. False when there is no way, or it fails. */
function migrate(turn: Turn): boolean {
  const { definition, draft } = turn
  const { state } = draft
  const migration = definition.from[state.version]
  if (migration === undefined) return false
  const from: Migratable = { input: state.input, results: resultsOf(state) }
  const { input, results } = migration(from)
  if (E.isLeft(definition.input.decode(input))) return false
  const { version, fingerprint } = definition
  happen(turn, { type: 'Migrated', data: { version, fingerprint, input, results } })
  return true
}

function isOfOther({ definition, draft: { state } }: Turn): boolean {
  return state.phase !== 'none' && state.fingerprint !== definition.fingerprint
}

/** A person gives a waiting saga up, as long as all of it can be undone. */
function cancelParked(turn: Turn, input: InputOf<'cancel'>): void {
  if (turn.draft.state.phase !== 'running' || isPastTurning(turn)) return
  happen(turn, { type: 'Resumed', data: { by: input.reason } })
  onCancel(turn, input)
}

/** What is told to a saga that was never started, has ended, or cannot be: mostly nothing. */
function isHeard(state: SagaState, { kind }: SagaInput): boolean {
  if (hasEnded(state)) return kind === 'revoke'
  if (state.parked !== undefined && kind === 'blocking') return false
  if (state.phase === 'none') return kind === 'start' || kind === 'signal'
  return kind !== 'start'
}

/** The events and effects of one message. `nowMs` is the wall clock, in milliseconds since 1970. */
export function decide(
  definition: SagaDefinition,
  state: SagaState,
  input: SagaInput,
  nowMs: number,
): Decision {
  if (!isHeard(state, input)) return nothing
  const turn = newTurn(definition, state, { sagaId: input.sagaId, nowMs })
  if (state.parked !== undefined && input.kind === 'cancel') cancelParked(turn, input)
  else if (state.parked !== undefined && input.kind !== 'operator') park(turn, state.parked, input)
  else if (isOfOther(turn) && !migrate(turn)) park(turn, mismatch(definition, state), input)
  else dispatch(turn, input)
  return { events: turn.draft.events, effects: turn.draft.effects }
}

/**
 * A saga that cannot go on as asked: it waits for a person, and the message that met this is kept.
 */
export function decidePark(
  definition: SagaDefinition,
  state: SagaState,
  input: SagaInput,
  { reason, nowMs }: { readonly reason: string; readonly nowMs: number },
): Decision {
  const turn = newTurn(definition, state, { sagaId: input.sagaId, nowMs })
  if (input.kind === 'start') happen(turn, started(turn, input, undefined))
  park(turn, reason, input)
  return { events: turn.draft.events, effects: [] }
}
