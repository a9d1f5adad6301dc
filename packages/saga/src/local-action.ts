/**
 * Runs a step's local function. It tells a refusal from a hiccup, keeps the time of an attempt and
 * counts attempts. What the function puts into its transaction is held back until it is done, so
 * that nothing of a refused or unknown attempt is ever committed.
 */
import { outgoingMessage, type Tx } from '@sagalog/client'
import { assert, type Clock } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import type { SagaInput } from './decide.js'
import type { LocalAction, StepDefinition } from './definition.js'
import { SagaError } from './errors.js'
import { metaOf, type Outgoing, type Sender } from './outgoing.js'
import { contextOf, doneOf } from './step-context.js'

export interface Attempt {
  readonly clock: Clock
  /** Counted from 1. */
  readonly number: number
  readonly signal: AbortSignal
}

/** What the action came to, as the saga hears it, and what goes out with it. */
export interface Acted {
  readonly input: SagaInput
  readonly outgoing: readonly Outgoing[]
}

/** A transaction that keeps what is put into it. What is wrong with it is the attempt's failure. */
function heldTx(): { readonly tx: Tx; readonly puts: readonly Outgoing[] } {
  const puts: Outgoing[] = []
  const tx: Tx = {
    send(to, body, options) {
      outgoingMessage(to, body, options)
      puts.push((real) => real.send(to, body, options))
    },
    schedule(id, delayMs, to, body, options) {
      outgoingMessage(to, body, options)
      puts.push((real) => real.schedule(id, delayMs, to, body, options))
    },
    cancel: (id) => void puts.push((real) => real.cancel(id)),
    append: (append) => void puts.push((real) => real.append(append)),
    ack: (delivery) => void puts.push((real) => real.ack(delivery)),
    onCommitted: (listener) => void puts.push((real) => real.onCommitted(listener)),
    onRefused: (listener) => void puts.push((real) => real.onRefused(listener)),
  }
  return { tx, puts }
}

const late = Symbol('late')

/** Runs to the end, or until the time is up. The signal tells the function in both cases. */
async function inTime<A>(
  run: (signal: AbortSignal) => Promise<A>,
  { clock, signal }: Attempt,
  timeoutMs: number | undefined,
): Promise<A | typeof late> {
  const stop = new AbortController()
  const abort = (): void => stop.abort(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    if (timeoutMs === undefined) return await run(stop.signal)
    return await new Promise<A | typeof late>((resolve, reject) => {
      const cancel = clock.after(timeoutMs, () => {
        stop.abort(new SagaError('ATTEMPT_LATE', { timeoutMs }))
        resolve(late)
      })
      run(stop.signal).then(resolve, reject).finally(cancel)
    })
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

type Doubt = Pick<Extract<SagaInput, { kind: 'in-doubt' }>, 'action' | 'cause' | 'message'>

function inDoubt({ sagaId }: Sender, step: StepDefinition, doubt: Doubt): Acted {
  return { input: { kind: 'in-doubt', sagaId, step: step.name, ...doubt }, outgoing: [] }
}

async function attemptRun(
  sender: Sender,
  step: StepDefinition,
  local: LocalAction,
  attempt: Attempt,
): Promise<Acted> {
  const { definition, sagaId, state } = sender
  const context = contextOf(definition, state, step)
  const timeoutMs = local.timeoutMs?.(context)
  const held = heldTx()
  const meta = metaOf(sagaId, step)
  const result = await inTime(
    (signal) => local.run(context, { ...meta, tx: held.tx, signal })(),
    attempt,
    timeoutMs,
  )
  if (result === late) {
    const doubt: Doubt = { action: 'run', cause: 'timeout', message: 'its time was up' }
    if (step.phase === 'step') return inDoubt(sender, step, doubt)
    throw new SagaError('ATTEMPT_LATE', { timeoutMs: timeoutMs ?? 0 })
  }
  if (E.isLeft(result)) {
    const refusal = result.left
    return { input: { kind: 'refused', sagaId, step: step.name, refusal }, outgoing: [] }
  }
  const value = step.out.encode(result.right)
  const input: SagaInput = { kind: 'done', sagaId, step: step.name, result: value }
  return { input, outgoing: held.puts }
}

async function attemptUndo(
  sender: Sender,
  step: StepDefinition,
  local: LocalAction,
  attempt: Attempt,
): Promise<Acted> {
  const { definition, sagaId, state } = sender
  const { undo } = local
  assert(undo !== undefined, 'only a step with an undo is undone')
  const context = contextOf(definition, state, step)
  const held = heldTx()
  const meta = metaOf(sagaId, step)
  const done = doneOf(state, step)
  const { signal } = attempt
  const result = await undo(context, done, { ...meta, tx: held.tx, signal })()
  assert(E.isRight(result), `the undo of ${step.name} cannot be refused`)
  return { input: { kind: 'undone', sagaId, step: step.name }, outgoing: held.puts }
}

/** One attempt. Throws for a hiccup, as long as attempts are left. */
export async function act(
  sender: Sender,
  step: StepDefinition,
  action: 'run' | 'undo',
  attempt: Attempt,
): Promise<Acted> {
  const local = step.action
  assert(local.kind === 'local', 'only a local step is done here')
  try {
    if (action === 'undo') return await attemptUndo(sender, step, local, attempt)
    return await attemptRun(sender, step, local, attempt)
  } catch (thrown) {
    // An instance that lost its lease knows nothing; whoever has it now tries again.
    if (attempt.signal.aborted || attempt.number < step.attemptsMax) throw thrown
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    return inDoubt(sender, step, {
      action,
      cause: 'exhausted',
      message: `${message} (attempt ${attempt.number})`,
    })
  }
}
