/**
 * Runs a step's local function. It tells a refusal from a hiccup and keeps the time of an attempt.
 * What the function puts into its transaction is held back until it is done, so
 * that nothing of a refused or unknown attempt is ever committed.
 */
import { outgoingMessage, type Tx } from '@sagalog/client'
import { assert, type Clock } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import type { LocalAction, StepDefinition } from './definition.js'
import { SagaError } from './errors.js'
import { metaOf, type Outgoing, type Sender } from './outgoing.js'
import { contextOf, doneOf } from './step-context.js'
import type { SagaInput } from './turn.js'

export interface Attempt {
  readonly clock: Clock
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
    close: (closing) => void puts.push((real) => real.close(closing)),
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
  if (timeoutMs === undefined) return run(signal)
  const stop = new AbortController()
  const abort = (): void => stop.abort(signal.reason)
  if (signal.aborted) abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
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

/** One local action of one saga. */
export interface Action {
  readonly step: StepDefinition
  /** The name of its run, in a loop. */
  readonly name: string
  readonly action: 'run' | 'undo'
  readonly attempt: number
}

async function attemptRun(
  sender: Sender,
  { step, name, attempt: number }: Action,
  local: LocalAction,
  attempt: Attempt,
): Promise<Acted> {
  const { definition, sagaId, state } = sender
  const context = contextOf(definition, state, step, name)
  const timeoutMs = local.timeoutMs?.(context)
  const held = heldTx()
  const meta = { ...metaOf(sagaId, name), attempt: number }
  const result = await inTime(
    (signal) => local.run(context, { ...meta, tx: held.tx, signal })(),
    attempt,
    timeoutMs,
  )
  if (result === late) return { input: { kind: 'late', sagaId, step: name }, outgoing: [] }
  if (E.isLeft(result)) {
    const refusal = result.left
    return { input: { kind: 'refused', sagaId, step: name, refusal }, outgoing: [] }
  }
  const value = step.out.encode(result.right)
  return { input: { kind: 'done', sagaId, step: name, result: value }, outgoing: held.puts }
}

async function attemptUndo(
  sender: Sender,
  { step, name, attempt: number }: Action,
  local: LocalAction,
  { signal }: Attempt,
): Promise<Acted> {
  const { definition, sagaId, state } = sender
  const { undo } = local
  assert(undo !== undefined, 'only a step with an undo is undone')
  const context = contextOf(definition, state, step, name)
  const held = heldTx()
  const meta = { ...metaOf(sagaId, name), attempt: number }
  const done = doneOf(state, step, name)
  const result = await undo(context, done, { ...meta, tx: held.tx, signal })()
  assert(E.isRight(result), `the undo of ${name} cannot be refused`)
  return { input: { kind: 'undone', sagaId, step: name }, outgoing: held.puts }
}

/** One attempt. Throws only when this instance may no longer act for the saga. */
export async function act(sender: Sender, what: Action, attempt: Attempt): Promise<Acted> {
  const local = what.step.action
  assert(local.kind === 'local', 'only a local step is done here')
  const { action, name } = what
  try {
    if (action === 'undo') return await attemptUndo(sender, what, local, attempt)
    return await attemptRun(sender, what, local, attempt)
  } catch (thrown) {
    // An instance that lost its lease knows nothing; whoever has it now tries again.
    if (attempt.signal.aborted) throw thrown
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    const { sagaId } = sender
    return { input: { kind: 'failed', sagaId, step: name, action, message }, outgoing: [] }
  }
}
