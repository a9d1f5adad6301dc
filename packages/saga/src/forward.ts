/**
 * The way forward: stages begin one after another, the steps of a stage side by side, the items of
 * a loop one by one. Invariant: `StepStarted` is decided before anything that the step may do.
 */
import * as E from 'fp-ts/lib/Either.js'
import { closeDown, compensate } from './backward.js'
import { loopIndex, loopName, type StepDefinition, stepOf } from './definition.js'
import { contextOf } from './step-context.js'
import { hasTimer, pauseMs } from './step-waits.js'
import { ask, happen, type InputOf, park, reportOf, type SagaInput, type Turn } from './turn.js'

/** A step that is waited for, or the run of one in a loop. */
export interface Waiting {
  readonly step: StepDefinition
  readonly name: string
  readonly attempt: number
  readonly since: number
}

/** The step of this name when the saga waits for it. */
export function running(turn: Turn, name: string): Waiting | undefined {
  const { state } = turn.draft
  const stepState = state.steps.get(name)
  const step = stepOf(turn.definition, name)
  if (state.phase !== 'running' || step === undefined) return undefined
  if (stepState?.status !== 'started') return undefined
  const { attempt, since } = stepState
  return { step, name, attempt, since }
}

/** Asks for what the step does. It was registered before, or is in this decision. */
export function askFor(turn: Turn, { step, name, attempt }: Omit<Waiting, 'since'>): void {
  const { kind } = step.action
  if (kind === 'local') ask(turn, { kind: 'act', step, name, action: 'run', attempt, delayMs: 0 })
  if (kind === 'remote' || kind === 'child')
    ask(turn, { kind: 'command', step, name, action: 'run' })
  if (kind === 'lock') ask(turn, { kind: 'acquire', step, name, attempt })
  if (hasTimer(step)) ask(turn, { kind: 'timer', step, name, attempt })
}

/** The step is over, or in doubt: nothing of it is waited for any more. */
function letGo(turn: Turn, { step, name, attempt }: Waiting): void {
  if (hasTimer(step)) ask(turn, { kind: 'cancel-timer', step, name, attempt })
  if (step.limit !== undefined) ask(turn, { kind: 'release', step, name })
}

function begin(turn: Turn, step: StepDefinition, name: string): void {
  if (step.limit !== undefined) {
    happen(turn, { type: 'StepQueued', data: { step: name, attempt: 1 } })
    return ask(turn, { kind: 'acquire', step, name, attempt: 1 })
  }
  happen(turn, { type: 'StepStarted', data: { step: name, attempt: undefined } })
  askFor(turn, { step, name, attempt: 1 })
  const early = turn.draft.state.signals[name]
  const waiting = running(turn, name)
  if (step.action.kind === 'signal' && early !== undefined && waiting !== undefined)
    takeSignal(turn, waiting, early.value)
}

function beginStep(turn: Turn, step: StepDefinition): void {
  const { definition, draft } = turn
  const { name, when, items } = step
  const context = () => contextOf(definition, draft.state, step)
  if (when !== undefined && !when(context()))
    return happen(turn, { type: 'StepSkipped', data: { step: name } })
  if (items === undefined) return begin(turn, step, name)
  const count = items(context()).length
  happen(turn, { type: 'LoopStarted', data: { step: name, count } })
  if (count > 0) begin(turn, step, loopName(name, 0))
}

/** True when the step, with all its items, is done or was skipped. */
function isOver({ draft: { state } }: Turn, step: StepDefinition): boolean {
  const count = state.loops[step.name]
  if (count === 0) return true
  const last = count === undefined ? step.name : loopName(step.name, count - 1)
  const status = state.steps.get(last)?.status
  return status === 'done' || status === 'skipped'
}

/** Begins the stage of this number, and those after it as long as nothing is to be waited for. */
export function beginStage(turn: Turn, first: number): void {
  const { stages } = turn.definition
  for (let number = first; ; number += 1) {
    const stage = stages[number]
    if (stage === undefined) break
    for (const step of stage) if (turn.draft.state.phase === 'running') beginStep(turn, step)
    if (turn.draft.state.phase !== 'running' || !stage.every((step) => isOver(turn, step))) return
    if (turn.draft.state.parked !== undefined) return
  }
  complete(turn)
}

function complete(turn: Turn): void {
  happen(turn, { type: 'Completed', data: { atMs: turn.nowMs } })
  closeDown(turn)
  const { parent } = turn.draft.state
  if (parent !== undefined) ask(turn, { kind: 'tell-parent', outcome: 'done' })
}

/** The step is over: the next item of its loop, or the next stage, has its turn. */
export function goOn(turn: Turn, step: StepDefinition, name: string): void {
  const index = loopIndex(name)
  const count = turn.draft.state.loops[step.name] ?? 0
  if (index !== undefined && index + 1 < count)
    return begin(turn, step, loopName(step.name, index + 1))
  const stage = turn.definition.stages[step.stage] ?? []
  if (stage.every((other) => isOver(turn, other))) beginStage(turn, step.stage + 1)
}

function registerDone(turn: Turn, waiting: Waiting, result: unknown): void {
  letGo(turn, waiting)
  happen(turn, { type: 'StepDone', data: { step: waiting.name, result } })
}

/** Registers what a step came to, and goes on. */
export function finishStep(turn: Turn, waiting: Waiting, result: unknown): void {
  registerDone(turn, waiting, result)
  goOn(turn, waiting.step, waiting.name)
}

export function onDone(turn: Turn, input: InputOf<'done'>): void {
  const waiting = running(turn, input.step)
  if (waiting === undefined) return
  const read = waiting.step.out.decode(input.result)
  if (E.isRight(read)) return finishStep(turn, waiting, input.result)
  park(turn, `the result of ${waiting.name} does not fit: ${reportOf(read.left)}`, input)
}

const refusedTooLate = (name: string): string =>
  `${name} was refused after the pivot: nothing can be undone any more`

export function onRefused(turn: Turn, input: InputOf<'refused'>): void {
  const waiting = running(turn, input.step)
  if (waiting === undefined) return
  const { step, name } = waiting
  if (step.phase === 'then') return park(turn, refusedTooLate(name), input)
  const codec = step.action.kind === 'remote' ? step.action.refusal : undefined
  const read = codec?.decode(input.refusal)
  if (read !== undefined && E.isLeft(read))
    return park(turn, `the refusal of ${name} does not fit: ${reportOf(read.left)}`, input)
  letGo(turn, waiting)
  compensate(turn, { type: 'StepRefused', data: { step: name, refusal: input.refusal } })
}

export function onTimeout(turn: Turn, input: InputOf<'timeout'>): void {
  const waiting = running(turn, input.step)
  if (waiting === undefined || waiting.attempt !== input.attempt) return
  const { step, name, attempt, since } = waiting
  if (step.phase === 'step') {
    letGo(turn, waiting)
    return compensate(turn, { type: 'StepTimedOut', data: { step: name } })
  }
  // What cannot be undone is asked for again with the same key: it may have happened.
  if (step.action.kind !== 'remote') return park(turn, `${name} did not come in time`, input)
  if (attempt - since + 1 >= step.attemptsMax)
    return park(turn, `no reply to ${name} after ${attempt - since + 1} sends`, input)
  resend(turn, waiting)
}

/** Asks again, with the next number; an operator's asking begins to count anew. */
export function resend(turn: Turn, { step, name, attempt }: Waiting, isFresh = false): void {
  const next = attempt + 1
  const since = isFresh ? next : undefined
  happen(turn, { type: 'StepResent', data: { step: name, attempt: next, since } })
  askFor(turn, { step, name, attempt: next })
}

/** A local attempt threw, or took too long. */
export function onRunFailed(turn: Turn, name: string, message: string, isLate: boolean): void {
  const waiting = running(turn, name)
  if (waiting === undefined) return
  const { step, attempt, since } = waiting
  const tries = attempt - since + 1
  if (step.phase === 'step' && isLate) {
    letGo(turn, waiting)
    return compensate(turn, { type: 'StepTimedOut', data: { step: name } })
  }
  if (tries < step.attemptsMax) {
    if (step.limit !== undefined) ask(turn, { kind: 'release', step, name })
    happen(turn, { type: 'StepFailed', data: { step: name, attempt, message } })
    const delayMs = pauseMs(step, tries)
    const again = { kind: 'act' as const, step, name, action: 'run' as const, attempt: attempt + 1 }
    return ask(turn, { ...again, delayMs })
  }
  const last = `${message} (attempt ${tries})`
  if (step.phase !== 'step') {
    const failed: SagaInput = {
      kind: 'failed',
      sagaId: turn.sagaId,
      step: name,
      action: 'run',
      message,
    }
    return park(turn, `${name} failed: ${last}`, failed)
  }
  letGo(turn, waiting)
  compensate(turn, { type: 'StepExhausted', data: { step: name, message: last } })
}

/** The time of the next attempt has come. */
export function onContinueRun(turn: Turn, name: string, attempt: number | undefined): void {
  const waiting = running(turn, name)
  if (waiting?.step.action.kind !== 'local') return
  const { step } = waiting
  if (attempt === undefined || attempt === waiting.attempt)
    return ask(turn, {
      kind: 'act',
      step,
      name,
      action: 'run',
      attempt: waiting.attempt,
      delayMs: 0,
    })
  if (attempt !== waiting.attempt + 1) return
  if (step.limit === undefined) return resend(turn, waiting)
  happen(turn, { type: 'StepQueued', data: { step: name, attempt } })
  ask(turn, { kind: 'acquire', step, name, attempt })
}

/** A limit lets the step begin. What nobody waits for any more is given back. */
export function onGranted(turn: Turn, input: InputOf<'granted'>): void {
  const { step: name, attempt } = input
  const step = stepOf(turn.definition, name)
  if (step === undefined) return
  if (step.action.kind === 'lock') {
    const waiting = running(turn, name)
    if (waiting !== undefined) return finishStep(turn, waiting, null)
  }
  const stepState = turn.draft.state.steps.get(name)
  if (stepState?.status !== 'queued' || stepState.attempt !== attempt) return
  happen(turn, { type: 'StepStarted', data: { step: name, attempt } })
  askFor(turn, { step, name, attempt })
}

/** Registers what a signal came to; whoever began the step, or heard the signal, goes on. */
function takeSignal(turn: Turn, waiting: Waiting, value: unknown): void {
  const { step, name } = waiting
  const { action } = step
  if (action.kind !== 'signal') return
  const read = action.value.decode(value)
  const input: SagaInput = { kind: 'signal', sagaId: turn.sagaId, signal: name, value }
  if (E.isLeft(read))
    return park(turn, `the signal ${name} does not fit: ${reportOf(read.left)}`, input)
  const accepted = action.accept(contextOf(turn.definition, turn.draft.state, step), read.right)
  if (E.isRight(accepted)) return registerDone(turn, waiting, step.out.encode(accepted.right))
  if (step.phase === 'then') return park(turn, refusedTooLate(name), input)
  letGo(turn, waiting)
  compensate(turn, { type: 'StepRefused', data: { step: name, refusal: accepted.left } })
}

export function onSignal(turn: Turn, { signal, value }: InputOf<'signal'>): void {
  if (turn.draft.state.signals[signal] !== undefined) return
  const step = stepOf(turn.definition, signal)
  if (step?.action.kind !== 'signal') return
  happen(turn, { type: 'SignalReceived', data: { signal, value } })
  const waiting = running(turn, signal)
  if (waiting === undefined) return
  takeSignal(turn, waiting, value)
  if (turn.draft.state.steps.get(signal)?.status === 'done') goOn(turn, waiting.step, signal)
}
