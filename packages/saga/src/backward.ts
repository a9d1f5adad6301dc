/**
 * The way back: undo runs in reverse of the order in which steps were begun, one after another, for
 * each step that may have happened. Invariants: a step is undone only after it was started and at
 * most once; nothing is undone once the pivot is done.
 */
import { assert } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import { hasUndo, type StepDefinition, stepOf } from './definition.js'
import { hasTimer, pauseMs } from './step-waits.js'
import type { SagaEvent } from './saga-events.js'
import { ask, happen, type InputOf, park, type Turn } from './turn.js'

type TurningEvent = Extract<
  SagaEvent,
  { type: 'StepRefused' | 'StepTimedOut' | 'StepExhausted' | 'Cancelled' | 'Revoked' }
>

/** Lets this happen and begins to undo. What still runs side by side may have happened too. */
export function compensate(turn: Turn, event: TurningEvent): void {
  for (const [name, state] of turn.draft.state.steps.entries()) {
    const step = stepOf(turn.definition, name)
    const isOther = !('step' in event.data && event.data.step === name)
    if (step === undefined || !isOther) continue
    if (state.status === 'started' && hasTimer(step))
      ask(turn, { kind: 'cancel-timer', step, name, attempt: state.attempt })
    const isHeld = state.status === 'started' || state.status === 'queued'
    if (isHeld && step.limit !== undefined) ask(turn, { kind: 'release', step, name })
  }
  happen(turn, event)
  undoNext(turn)
}

/** The latest that may have happened and that something is to be done about. */
function latest({ definition, draft }: Turn): { step: StepDefinition; name: string } | undefined {
  const names = draft.state.steps.names()
  for (let at = names.length - 1; at >= 0; at -= 1) {
    const name = names[at] ?? ''
    const status = draft.state.steps.get(name)?.status
    if (status !== 'done' && status !== 'doubt') continue
    const step = stepOf(definition, name)
    if (step !== undefined && (hasUndo(step) || step.irreversible !== undefined))
      return { step, name }
  }
  return undefined
}

/** Starts the undo of the latest step that may have happened, or ends the saga. */
export function undoNext(turn: Turn): void {
  for (;;) {
    const next = latest(turn)
    if (next === undefined) return compensated(turn)
    const { step, name } = next
    if (hasUndo(step)) {
      happen(turn, { type: 'UndoStarted', data: { step: name } })
      return askForUndo(turn, step, { name, attempt: 1 })
    }
    happen(turn, { type: 'UndoSkipped', data: { step: name, why: step.irreversible ?? '' } })
  }
}

export function askForUndo(
  turn: Turn,
  step: StepDefinition,
  { name, attempt }: { readonly name: string; readonly attempt: number },
): void {
  if (step.action.kind === 'local')
    return ask(turn, { kind: 'act', step, name, action: 'undo', attempt, delayMs: 0 })
  ask(turn, { kind: 'command', step, name, action: 'undo' })
  if (step.action.kind === 'remote') ask(turn, { kind: 'undo-timer', step, name, attempt })
}

/** What is given back when a saga ends, whichever way. */
export function closeDown(turn: Turn): void {
  const { definition, draft } = turn
  for (const step of definition.steps)
    if (step.action.kind === 'lock' && draft.state.steps.get(step.name) !== undefined)
      ask(turn, { kind: 'release', step, name: step.name })
  const read = definition.input.decode(draft.state.input)
  const hasDeadline = E.isRight(read) && definition.deadlineMs(read.right) !== undefined
  if (hasDeadline && draft.state.reason?.kind !== 'deadline') ask(turn, { kind: 'cancel-deadline' })
}

function compensated(turn: Turn): void {
  const { reason, parent, isRevoked } = turn.draft.state
  assert(reason !== undefined, 'a saga is undone for a reason')
  happen(turn, { type: 'Compensated', data: { reason, atMs: turn.nowMs } })
  closeDown(turn)
  if (parent !== undefined)
    ask(turn, { kind: 'tell-parent', outcome: isRevoked ? 'undone' : 'refused' })
}

interface Undoing {
  readonly step: StepDefinition
  readonly name: string
  readonly attempt: number
  readonly since: number
}

/** The step of this name when it is being undone. */
export function undoing(turn: Turn, name: string): Undoing | undefined {
  const { state } = turn.draft
  const stepState = state.steps.get(name)
  const step = stepOf(turn.definition, name)
  if (state.phase !== 'undoing' || step === undefined) return undefined
  if (stepState?.status !== 'undoing') return undefined
  const { attempt, since } = stepState
  return { step, name, attempt, since }
}

export function onUndone(turn: Turn, input: InputOf<'undone'>): void {
  const waiting = undoing(turn, input.step)
  if (waiting === undefined) return
  const { step, name, attempt } = waiting
  if (step.action.kind === 'remote') ask(turn, { kind: 'cancel-undo-timer', step, name, attempt })
  happen(turn, { type: 'UndoDone', data: { step: name } })
  undoNext(turn)
}

/** A local undo threw: it is tried again, and in the end a person has to look. */
export function onUndoFailed(turn: Turn, name: string, message: string): void {
  const waiting = undoing(turn, name)
  if (waiting === undefined) return
  const { step, attempt, since } = waiting
  const tries = attempt - since + 1
  if (tries >= step.attemptsMax) {
    const failed = { kind: 'failed' as const, sagaId: turn.sagaId, step: name, message }
    const reason = `the undo of ${name} failed: ${message} (attempt ${tries})`
    return park(turn, reason, { ...failed, action: 'undo' })
  }
  happen(turn, { type: 'UndoFailed', data: { step: name, attempt, message } })
  const delayMs = pauseMs(step, tries)
  ask(turn, { kind: 'act', step, name, action: 'undo', attempt: attempt + 1, delayMs })
}

/** Nobody answered an undo in time: the command is sent again, in the end a person has to look. */
export function onUndoTimeout(turn: Turn, input: InputOf<'timeout'>): void {
  const waiting = undoing(turn, input.step)
  if (waiting === undefined || waiting.attempt !== input.attempt) return
  const { step, name, attempt, since } = waiting
  const tries = attempt - since + 1
  if (tries >= step.attemptsMax)
    return park(turn, `no reply to the undo of ${name} after ${tries} sends`, input)
  undoAgain(turn, waiting)
}

export function undoAgain(turn: Turn, { step, name, attempt }: Undoing, isFresh = false): void {
  const next = attempt + 1
  const since = isFresh ? next : undefined
  happen(turn, { type: 'UndoResent', data: { step: name, attempt: next, since } })
  askForUndo(turn, step, { name, attempt: next })
}

/** The time of the next attempt has come. */
export function onContinueUndo(turn: Turn, name: string, attempt: number | undefined): void {
  const waiting = undoing(turn, name)
  if (waiting?.step.action.kind !== 'local') return
  const { step } = waiting
  if (attempt === waiting.attempt + 1) return undoAgain(turn, waiting)
  if (attempt !== undefined && attempt !== waiting.attempt) return
  ask(turn, { kind: 'act', step, name, action: 'undo', attempt: waiting.attempt, delayMs: 0 })
}

/** True once something was begun that cannot be undone: from there on it only goes forward. */
export function isPastTurning({ definition, draft }: Turn): boolean {
  return draft.state.steps.names().some((name) => stepOf(definition, name)?.phase !== 'step')
}

/** Compensated from outside, as long as that is possible; otherwise nothing happens. */
export function onCancel(turn: Turn, input: InputOf<'cancel' | 'deadline'>): void {
  if (turn.draft.state.phase !== 'running' || isPastTurning(turn)) return
  const reason =
    input.kind === 'deadline'
      ? { kind: 'deadline' as const }
      : { kind: 'cancelled' as const, message: input.reason }
  compensate(turn, { type: 'Cancelled', data: { reason } })
}

/** The parent is compensated. */
export function onRevoke(turn: Turn, input: InputOf<'revoke'>): void {
  const { phase } = turn.draft.state
  if (phase === 'compensated') return ask(turn, { kind: 'tell-parent', outcome: 'undone' })
  if (isPastTurning(turn))
    return park(turn, 'its parent is compensated, but it has passed its pivot', input)
  compensate(turn, { type: 'Revoked', data: { atMs: turn.nowMs } })
}
