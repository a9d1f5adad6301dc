/**
 * What a saga does about a message: the events to append, and what they ask for. Pure: time comes
 * in, effects are data, and a message that no longer matters gives nothing. Invariants: a step is
 * undone only after it was started and at most once; undo runs in reverse, one after another;
 * nothing is undone once a later phase was reached.
 */
import { assert, unreachable } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { PathReporter } from 'io-ts/lib/PathReporter.js'
import { type SagaDefinition, type StepDefinition, stepOf } from './definition.js'
import { evolve, hasEnded, type SagaState } from './evolve.js'
import type { InboxMessage } from './inbox.js'
import type { SagaEvent } from './saga-events.js'

/** A message, or that a local action failed at each of its attempts or took too long. */
export type SagaInput =
  | InboxMessage
  | {
      readonly kind: 'in-doubt'
      readonly sagaId: string
      readonly step: string
      readonly action: 'run' | 'undo'
      readonly cause: 'timeout' | 'exhausted'
      readonly message: string
    }

export type Effect =
  /** Send the step's command. */
  | { readonly kind: 'command'; readonly step: StepDefinition; readonly action: 'run' | 'undo' }
  /** Do the step's local action. */
  | { readonly kind: 'act'; readonly step: StepDefinition; readonly action: 'run' | 'undo' }
  | { readonly kind: 'timer'; readonly step: StepDefinition; readonly attempt: number }
  | { readonly kind: 'cancel-timer'; readonly step: StepDefinition; readonly attempt: number }

export interface Decision {
  readonly events: readonly SagaEvent[]
  readonly effects: readonly Effect[]
}

const nothing: Decision = { events: [], effects: [] }

function reportOf(errors: t.Errors): string {
  return PathReporter.report(E.left(errors)).slice(0, 3).join('; ')
}

/** Events are decided one on top of the other; this keeps the state that they make. */
interface Draft {
  state: SagaState
  readonly events: SagaEvent[]
  readonly effects: Effect[]
}

interface Turn {
  readonly definition: SagaDefinition
  readonly draft: Draft
  readonly nowMs: number
}

function happen({ draft }: Turn, event: SagaEvent): void {
  draft.events.push(event)
  draft.state = evolve(draft.state, event)
}

function begin(turn: Turn, step: StepDefinition): void {
  happen(turn, { type: 'StepStarted', data: { step: step.name } })
  const { effects } = turn.draft
  effects.push({ kind: step.action.kind === 'remote' ? 'command' : 'act', step, action: 'run' })
  if (hasTimer(step)) effects.push({ kind: 'timer', step, attempt: 1 })
}

/** Only the reply of a service is waited for by a timer; a local attempt is timed where it runs. */
function hasTimer(step: StepDefinition): boolean {
  return step.action.kind === 'remote' && step.action.timeoutMs !== undefined
}

function cancelTimer(turn: Turn, step: StepDefinition, attempt: number): void {
  if (hasTimer(step)) turn.draft.effects.push({ kind: 'cancel-timer', step, attempt })
}

function park(turn: Turn, reason: string, input: SagaInput): void {
  const message = input.kind === 'in-doubt' ? undefined : input
  happen(turn, { type: 'Parked', data: { reason, message } })
}

/** Starts the step after `step`, or ends the saga. */
function goOn(turn: Turn, step: StepDefinition): void {
  const next = turn.definition.steps[turn.definition.steps.indexOf(step) + 1]
  if (next !== undefined) return begin(turn, next)
  happen(turn, { type: 'Completed', data: { atMs: turn.nowMs } })
}

/** Starts the undo of the latest step that may have happened, or ends the saga. */
function undoNext(turn: Turn): void {
  const { draft, definition, nowMs } = turn
  const step = definition.steps.findLast(({ name }) => {
    const status = draft.state.steps[name]?.status
    return status === 'done' || status === 'doubt'
  })
  if (step === undefined) {
    const { reason } = draft.state
    assert(reason !== undefined, 'a saga is undone for a reason')
    return happen(turn, { type: 'Compensated', data: { reason, atMs: nowMs } })
  }
  assert(step.action.undo !== undefined, 'every step before the pivot has an undo')
  happen(turn, { type: 'UndoStarted', data: { step: step.name } })
  const kind = step.action.kind === 'remote' ? 'command' : 'act'
  draft.effects.push({ kind, step, action: 'undo' })
}

/** The step that the saga waits for when it is this one, with the number of its attempt. */
function running(turn: Turn, name: string): { step: StepDefinition; attempt: number } | undefined {
  const { state } = turn.draft
  if (state.phase !== 'running' || state.current !== name) return undefined
  const stepState = state.steps[name]
  const step = stepOf(turn.definition, name)
  if (step === undefined || stepState?.status !== 'started') return undefined
  return { step, attempt: stepState.attempt }
}

function undoing(turn: Turn, name: string): StepDefinition | undefined {
  const { state } = turn.draft
  if (state.phase !== 'undoing' || state.current !== name) return undefined
  return state.steps[name]?.status === 'undoing' ? stepOf(turn.definition, name) : undefined
}

type InputOf<Kind extends SagaInput['kind']> = Extract<SagaInput, { readonly kind: Kind }>

function started({ definition, nowMs }: Turn, { input, lane }: InputOf<'start'>): SagaEvent {
  const { version, fingerprint } = definition
  return { type: 'Started', data: { input, version, fingerprint, atMs: nowMs, lane } }
}

function onStart(turn: Turn, input: InputOf<'start'>): void {
  const { definition } = turn
  happen(turn, started(turn, input))
  const read = definition.input.decode(input.input)
  if (E.isLeft(read))
    return park(turn, `its input does not fit its codec: ${reportOf(read.left)}`, input)
  const [first] = definition.steps
  assert(first !== undefined, 'a saga has a step')
  begin(turn, first)
}

function onDone(turn: Turn, input: InputOf<'done'>): void {
  const waiting = running(turn, input.step)
  if (waiting === undefined) return
  const { step, attempt } = waiting
  cancelTimer(turn, step, attempt)
  const read = step.out.decode(input.result)
  if (E.isLeft(read))
    return park(turn, `the result of ${step.name} does not fit: ${reportOf(read.left)}`, input)
  happen(turn, { type: 'StepDone', data: { step: step.name, result: input.result } })
  goOn(turn, step)
}

function onRefused(turn: Turn, input: InputOf<'refused'>): void {
  const waiting = running(turn, input.step)
  if (waiting === undefined) return
  const { step, attempt } = waiting
  cancelTimer(turn, step, attempt)
  if (step.phase === 'then')
    return park(turn, `${step.name} was refused, but nothing after the pivot can be`, input)
  const codec = step.action.kind === 'remote' ? step.action.refusal : undefined
  const read = codec?.decode(input.refusal)
  if (read !== undefined && E.isLeft(read))
    return park(turn, `the refusal of ${step.name} does not fit: ${reportOf(read.left)}`, input)
  happen(turn, { type: 'StepRefused', data: { step: step.name, refusal: input.refusal } })
  undoNext(turn)
}

function onTimeout(turn: Turn, input: InputOf<'timeout'>): void {
  const waiting = running(turn, input.step)
  if (waiting === undefined || waiting.attempt !== input.attempt) return
  const { step, attempt } = waiting
  if (step.phase === 'step') {
    happen(turn, { type: 'StepTimedOut', data: { step: step.name } })
    return undoNext(turn)
  }
  // What cannot be undone is asked for again with the same key: it may have happened.
  if (attempt >= step.attemptsMax)
    return park(turn, `no reply to ${step.name} after ${attempt} sends`, input)
  happen(turn, { type: 'StepResent', data: { step: step.name, attempt: attempt + 1 } })
  turn.draft.effects.push({ kind: 'command', step, action: 'run' })
  turn.draft.effects.push({ kind: 'timer', step, attempt: attempt + 1 })
}

function onInDoubt(turn: Turn, input: InputOf<'in-doubt'>): void {
  if (input.action === 'undo') {
    if (undoing(turn, input.step) !== undefined)
      park(turn, `the undo of ${input.step} failed: ${input.message}`, input)
    return
  }
  const step = running(turn, input.step)?.step
  if (step === undefined) return
  if (step.phase !== 'step') return park(turn, `${step.name} failed: ${input.message}`, input)
  const { name } = step
  if (input.cause === 'timeout') happen(turn, { type: 'StepTimedOut', data: { step: name } })
  else happen(turn, { type: 'StepExhausted', data: { step: name, message: input.message } })
  undoNext(turn)
}

function onUndone(turn: Turn, input: InputOf<'undone'>): void {
  const step = undoing(turn, input.step)
  if (step === undefined) return
  happen(turn, { type: 'UndoDone', data: { step: step.name } })
  undoNext(turn)
}

function onContinue(turn: Turn, input: InputOf<'continue'>): void {
  const { effects } = turn.draft
  const step = running(turn, input.step)?.step
  if (step?.action.kind === 'local') return void effects.push({ kind: 'act', step, action: 'run' })
  const undo = undoing(turn, input.step)
  if (undo?.action.kind === 'local') effects.push({ kind: 'act', step: undo, action: 'undo' })
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
      return onTimeout(turn, input)
    case 'in-doubt':
      return onInDoubt(turn, input)
    case 'undone':
      return onUndone(turn, input)
    case 'continue':
      return onContinue(turn, input)
    default:
      return unreachable(input)
  }
}

/** The events and effects of one message. `nowMs` is the wall clock, in milliseconds since 1970. */
export function decide(
  definition: SagaDefinition,
  state: SagaState,
  input: SagaInput,
  nowMs: number,
): Decision {
  const hasStarted = state.phase !== 'none'
  if (hasEnded(state) || hasStarted === (input.kind === 'start')) return nothing
  const draft: Draft = { state, events: [], effects: [] }
  const turn: Turn = { definition, draft, nowMs }
  if (state.parked !== undefined) park(turn, state.parked, input)
  else if (hasStarted && state.fingerprint !== definition.fingerprint)
    park(turn, mismatch(definition, state), input)
  else dispatch(turn, input)
  return { events: draft.events, effects: draft.effects }
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
  const draft: Draft = { state, events: [], effects: [] }
  const turn: Turn = { definition, draft, nowMs }
  if (input.kind === 'start') happen(turn, started(turn, input))
  park(turn, reason, input)
  return { events: draft.events, effects: [] }
}
