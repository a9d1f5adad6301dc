/**
 * The event store of a Sagalog broker, and its one commit: events, messages, timers and
 * acknowledgements that happen together or not at all, in one frame of the log and one flush.
 */
import { ClientError, type Connection, openTx, type Tx, type TxEnd } from '@sagalog/client'
import type { CommitRefusal, Committed, StreamState } from '@sagalog/kernel'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { appendIn, type AppendInOptions } from './append-in.js'
import { type BrokerEventsOptions, brokerEvents } from './broker-events.js'
import { EventStoreError } from './errors.js'
import type { AnyEvent, EventSet } from './event-set.js'
import { type CloseOptions, type EventStore, eventStoreOver } from './event-store.js'
import { checkStreamName } from './stream-name.js'
import { asTaskEither } from './task-either.js'

/** What is changed together; the appends are typed by their sets. */
export interface EventTx extends Pick<Tx, 'send' | 'schedule' | 'cancel' | 'ack'> {
  append<Event extends AnyEvent>(
    set: EventSet<Event>,
    stream: string,
    events: readonly Event[],
    options: AppendInOptions,
  ): void
  close<Event extends AnyEvent>(
    set: EventSet<Event>,
    stream: string,
    options: CloseOptions & { readonly state: StreamState },
  ): void
}

export interface AtomicallyOptions {
  /**
   * Of all transactions under one key only the first happens; later ones are answered as it was.
   * With a key a lost answer is found out; without one, and without an acknowledgement, the outcome
   * is IN_DOUBT.
   */
  readonly idempotencyKey?: string
}

/** A transaction that happened, or why nothing of it did. */
export type AtomicResult =
  | { readonly committed: Committed | undefined }
  | { readonly refused: CommitRefusal }

export interface BrokerEventStore extends Omit<EventStore, 'te'> {
  /**
   * Runs `work`, then commits what it put into `tx`, whole or not at all; when `work` throws,
   * nothing happens and the error is passed on. A crash at any instant leaves all of it or nothing.
   */
  atomically(
    work: (tx: EventTx) => void | Promise<void>,
    options?: AtomicallyOptions,
  ): Promise<AtomicResult>
  readonly te: EventStore['te'] & {
    atomically(
      work: (tx: EventTx) => void | Promise<void>,
      options?: AtomicallyOptions,
    ): TaskEither<EventStoreError, AtomicResult>
  }
}

/** The same transaction, its appends typed by their sets: for a consumer's handler. */
export function eventTx(tx: Tx): EventTx {
  return {
    send: (...args) => tx.send(...args),
    schedule: (...args) => tx.schedule(...args),
    cancel: (id) => tx.cancel(id),
    ack: (delivery) => tx.ack(delivery),
    append: (set, stream, events, options) => appendIn(tx, set, stream, events, options),
    close({ category }, stream, { expected = 'exists', reason, state }) {
      checkStreamName('close', category, stream)
      tx.close({ category, stream, expected, state, reason })
    },
  }
}

const LOST = { category: '*', stream: '*' } as const

function failure(cause: unknown): unknown {
  if (!ClientError.is(cause)) return cause
  const reason = cause.message
  if (cause.state === 'unknown') return new EventStoreError('IN_DOUBT', { ...LOST, reason })
  const where = { ...LOST, operation: 'atomically' }
  if (cause.code === 'CLOSED') return new EventStoreError('CLOSED', where, { cause })
  const isRefused = cause.code === 'REJECTED' || cause.code === 'INVALID_MESSAGE'
  return new EventStoreError(isRefused ? 'REFUSED' : 'UNAVAILABLE', { ...where, reason }, { cause })
}

function resultOf(end: TxEnd): AtomicResult {
  if (end.kind === 'committed') return { committed: end.committed }
  if (end.kind === 'refused') return { refused: end.refusal }
  const reason = 'a lease or the connection ended before the answer'
  throw new EventStoreError('IN_DOUBT', { ...LOST, reason })
}

/** The event store of a Sagalog broker. */
export function createEventStore(
  connection: Connection,
  options: BrokerEventsOptions = {},
): BrokerEventStore {
  const store = eventStoreOver(brokerEvents(connection, options))
  async function atomically(
    work: (tx: EventTx) => void | Promise<void>,
    { idempotencyKey }: AtomicallyOptions = {},
  ): Promise<AtomicResult> {
    const tx = openTx(
      connection,
      idempotencyKey === undefined ? {} : { key: `+/${idempotencyKey}` },
    )
    try {
      await work(eventTx(tx))
    } catch (thrown) {
      tx.discard('handler-failed')
      throw thrown
    }
    const end = await tx.commit().catch((cause: unknown) => {
      throw failure(cause)
    })
    return resultOf(end)
  }
  return { ...store, atomically, te: { ...store.te, atomically: asTaskEither(atomically) } }
}
