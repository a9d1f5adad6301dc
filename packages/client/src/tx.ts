/**
 * Collects everything that one handler changes into one commit, and sends it. All is checked and
 * encoded when it is collected, so a commit is never refused for what the handler could have known.
 *
 * Invariant: a commit whose reply was lost is only repeated as it was and only when it holds an
 * acknowledgement, because then the broker refuses it as already settled if it was applied before,
 * or a key, because then the broker answers as it did before.
 */
import type { Commit, CommitRefusal, Committed, LeaseRef } from '@sagalog/kernel'
import { assert, sleep, type OutgoingMessage, type StreamAppend } from '@sagalog/kernel'
import type { StreamClosing } from '@sagalog/kernel'
import type { TimerDraft } from '@sagalog/kernel'
import { commit as commitRequest, ResponseCode } from '@sagalog/protocol'
import { type Connection, rejectedBy } from './connection.js'
import { type Delivery, type Holder, holderOf } from './delivery.js'
import { ClientError } from './errors.js'
import { BUSY_RETRY_MS, COMMIT_TRIES_MAX } from './limits.js'
import { outgoingMessage, type SendOptions } from './outgoing-message.js'
import type { Topic } from './topic.js'

/** Why a transaction's changes did not happen, or are not known to have happened. */
export type TxRefusal =
  | CommitRefusal
  /** The handler threw; nothing was sent to the broker. */
  | { readonly reason: 'handler-failed' }
  /** A lease ended, or the connection closed for good, before the outcome was known. */
  | { readonly reason: 'abandoned' }

/** What a handler changes: all of it happens with the acknowledgement, or nothing does. */
export interface Tx {
  /** A delay of the message counts from the commit. Throws INVALID_MESSAGE. */
  send<A>(topic: Topic<A>, body: A, options?: SendOptions): void
  /** Sends after `delayMs` milliseconds from the commit, unless cancelled by the timer's id. */
  schedule<A>(
    timerId: string,
    delayMs: number,
    topic: Topic<A>,
    body: A,
    options?: SendOptions,
  ): void
  /** A timer that is not open is ignored. */
  cancel(timerId: string): void
  append(append: StreamAppend): void
  /** Archives, opens again or deletes a stream, after all appends of this transaction. */
  close(closing: StreamClosing): void
  /** Settles a delivery; needed for those of 'held' listeners only. */
  ack(delivery: Delivery): void
  /**
   * Called once the changes have happened. The report is missing when the reply was lost and only
   * the fact is known.
   */
  onCommitted(listener: (committed: Committed | undefined) => void): void
  /** Called when the changes did not happen or nobody knows: what was cached must be read again. */
  onRefused(listener: (refusal: TxRefusal) => void): void
}

/** How a commit ended. */
export type TxEnd =
  | { readonly kind: 'committed'; readonly committed: Committed | undefined }
  | { readonly kind: 'refused'; readonly refusal: CommitRefusal }
  /** The outcome is unknown or there is none; a new lease or a new process tells. */
  | { readonly kind: 'abandoned' }

export interface OpenTx extends Tx {
  readonly isEmpty: boolean
  /** Commits under the lease of `holder` and no later, also without an acknowledgement. */
  under(holder: Holder): void
  /** Sends a message that is encoded already. */
  forward(message: OutgoingMessage): void
  /** The same after a delay, unless the timer is cancelled. */
  forwardLater(timerId: string, delayMs: number, message: OutgoingMessage): void
  /**
   * Sends what was collected. Rejects with ClientError when the broker can not take it at all. A
   * commit without an acknowledgement rejects with TIMEOUT or DISCONNECTED when its reply is lost.
   */
  commit(): Promise<TxEnd>
  /** Ends it when nothing was collected and nobody listens; false when there is more to do. */
  endUnused(): boolean
  /** Ends it without a commit: its handler has failed. */
  discard(reason: 'handler-failed'): void
}

export interface TxOptions {
  /** Names the commit: while the broker remembers the name, it is applied once. */
  readonly key?: string
}

/** A transaction of its own, outside any handler. */
export function openTx(connection: Connection, options: TxOptions = {}): OpenTx {
  return new CollectedTx(connection, options)
}

/** Most transactions collect little: a list is made with its first item. */
const NOTHING: never[] = []

function added<Item>(list: Item[], item: Item): Item[] {
  if (list === NOTHING) return [item]
  list.push(item)
  return list
}

type CommittedListener = (committed: Committed | undefined) => void

class CollectedTx implements OpenTx {
  readonly #connection: Connection
  #deliveries: Set<Delivery> | undefined
  /** Those whose leases it depends on: few, however many deliveries there are. */
  #holders: Holder[] = NOTHING
  #appends: StreamAppend[] = NOTHING
  #sends: OutgoingMessage[] = NOTHING
  #timers: TimerDraft[] = NOTHING
  #cancels: string[] = NOTHING
  #closings: StreamClosing[] = NOTHING
  readonly #key: string | undefined
  #committedListeners: CommittedListener[] = NOTHING
  #refusedListeners: ((refusal: TxRefusal) => void)[] = NOTHING
  #isOpen = true

  constructor(connection: Connection, { key }: TxOptions) {
    this.#connection = connection
    this.#key = key
  }

  get isEmpty(): boolean {
    return (
      this.#deliveries === undefined &&
      this.#appends === NOTHING &&
      this.#sends === NOTHING &&
      this.#timers === NOTHING &&
      this.#cancels === NOTHING &&
      this.#closings === NOTHING
    )
  }

  send<A>(topic: Topic<A>, body: A, options: SendOptions = {}): void {
    this.#assertOpen()
    this.#sends = added(this.#sends, outgoingMessage(topic, body, options))
  }
  forward(message: OutgoingMessage): void {
    this.#assertOpen()
    this.#sends = added(this.#sends, message)
  }
  schedule<A>(
    timerId: string,
    delayMs: number,
    topic: Topic<A>,
    body: A,
    options: SendOptions = {},
  ): void {
    this.forwardLater(timerId, delayMs, outgoingMessage(topic, body, options))
  }
  forwardLater(timerId: string, delayMs: number, message: OutgoingMessage): void {
    this.#assertOpen()
    assert(Number.isFinite(delayMs) && delayMs >= 0, 'a delay is a number of milliseconds')
    this.#timers = added(this.#timers, { id: timerId, delayMs: Math.ceil(delayMs), message })
  }
  cancel(timerId: string): void {
    this.#assertOpen()
    this.#cancels = added(this.#cancels, timerId)
  }
  append(append: StreamAppend): void {
    this.#assertOpen()
    assert(append.events.length > 0, 'an append has events')
    this.#appends = added(this.#appends, append)
  }
  close(closing: StreamClosing): void {
    this.#assertOpen()
    this.#closings = added(this.#closings, closing)
  }
  ack(delivery: Delivery): void {
    this.#assertOpen()
    this.under(holderOf(delivery))
    this.#deliveries ??= new Set()
    this.#deliveries.add(delivery)
  }
  under(holder: Holder): void {
    this.#assertOpen()
    if (!this.#holders.includes(holder)) this.#holders = added(this.#holders, holder)
  }
  onCommitted(listener: (committed: Committed | undefined) => void): void {
    this.#committedListeners = added(this.#committedListeners, listener)
  }
  onRefused(listener: (refusal: TxRefusal) => void): void {
    this.#refusedListeners = added(this.#refusedListeners, listener)
  }

  async commit(): Promise<TxEnd> {
    this.#assertOpen()
    this.#isOpen = false
    let end: TxEnd
    try {
      end = this.isEmpty ? NOTHING_COMMITTED : await this.#sendUntilKnown()
    } catch (thrown) {
      this.#tellRefused({ reason: 'abandoned' })
      throw thrown
    }
    if (end.kind === 'committed') {
      // Listeners first: settling may start the next handler, which must find what they cached.
      for (const listener of this.#committedListeners) listener(end.committed)
      for (const delivery of this.#acknowledged) holderOf(delivery).settled(delivery.offset)
    } else {
      this.#tellRefused(end.kind === 'refused' ? end.refusal : { reason: 'abandoned' })
    }
    return end
  }

  endUnused(): boolean {
    this.#assertOpen()
    const isHeard = this.#committedListeners !== NOTHING || this.#refusedListeners !== NOTHING
    if (isHeard || !this.isEmpty || this.#holders !== NOTHING) return false
    this.#isOpen = false
    return true
  }

  discard(reason: 'handler-failed'): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#tellRefused({ reason })
  }

  async #sendUntilKnown(): Promise<TxEnd> {
    const { clock, hops } = this.#connection.ports
    const commit = this.#toCommit()
    // True once an earlier try may have been applied.
    let isRepeat = false
    let tries = 0
    for (;;) {
      const ended = this.#endedHolder()
      if (ended !== undefined) {
        if (isRepeat) return { kind: 'abandoned' }
        return { kind: 'refused', refusal: { reason: 'stale-lease', queue: ended.lease } }
      }
      hops.reach('client.commit')
      try {
        const timeoutMs = this.#timeoutMs()
        const reply = await this.#connection.request(commitRequest, commit, { timeoutMs })
        if (reply.code === ResponseCode.SUCCESS && reply.payload !== undefined) {
          return this.#endOf(reply.payload, isRepeat)
        }
        const isNotNow =
          reply.code === ResponseCode.SYSTEM_BUSY ||
          reply.code === ResponseCode.SERVICE_NOT_AVAILABLE
        if (!isNotNow) throw rejectedBy(commitRequest.name, reply)
        await sleep(clock, BUSY_RETRY_MS)
      } catch (thrown) {
        if (!ClientError.is(thrown)) throw thrown
        if (thrown.code === 'CLOSED') return { kind: 'abandoned' }
        const isUnknown = thrown.code === 'TIMEOUT' || thrown.code === 'DISCONNECTED'
        const isSafeToRepeat = commit.acks.length > 0 || commit.key !== undefined
        tries += 1
        // Under a lease the lease's end bounds the tries; a commit of its own gives up by itself.
        const isGivenUp = commit.acks.length === 0 && tries >= COMMIT_TRIES_MAX
        if (!isUnknown || !isSafeToRepeat || isGivenUp) throw thrown
        isRepeat = true
      }
    }
  }

  #endOf(
    reply: { readonly committed: Committed } | { readonly refused: CommitRefusal },
    isRepeat: boolean,
  ): TxEnd {
    if ('committed' in reply) return { kind: 'committed', committed: reply.committed }
    const refusal = reply.refused
    // Under one live lease nobody else settles these messages, so it was the first try of this.
    if (refusal.reason === 'already-settled' && isRepeat) {
      return { kind: 'committed', committed: undefined }
    }
    if (refusal.reason === 'stale-lease') {
      this.#endLease(refusal.queue)
      // The first try may have been applied while the lease was alive.
      if (isRepeat) return { kind: 'abandoned' }
    }
    return { kind: 'refused', refusal }
  }

  get #acknowledged(): Iterable<Delivery> {
    return this.#deliveries ?? NOTHING
  }

  #toCommit(): Commit {
    return {
      leases: this.#holders.map(({ lease }) => lease),
      // A delivery has the fields of an acknowledgement.
      acks: [...this.#acknowledged],
      appends: this.#appends,
      sends: this.#sends,
      timers: this.#timers,
      cancels: this.#cancels,
      ...(this.#closings.length === 0 ? {} : { closings: this.#closings }),
      ...(this.#key === undefined ? {} : { key: this.#key }),
    }
  }

  #endedHolder(): Holder | undefined {
    for (const holder of this.#holders) if (!holder.isLive) return holder
    return undefined
  }

  /** A commit that still waits for a connection when its lease ends is not sent any more. */
  #timeoutMs(): number {
    let timeoutMs = this.#connection.requestTimeoutMs
    const nowMs = this.#connection.ports.clock.monotonicMs()
    for (const { liveUntilMs } of this.#holders)
      timeoutMs = Math.min(timeoutMs, liveUntilMs - nowMs)
    return Math.max(1, timeoutMs)
  }

  #endLease(queue: Pick<LeaseRef, 'group' | 'topic' | 'queueId'>): void {
    for (const holder of this.#holders) {
      const { group, queueId, topic } = holder.lease
      const isIt = group === queue.group && topic === queue.topic && queueId === queue.queueId
      if (isIt) return holder.leaseEnded()
    }
  }

  #tellRefused(refusal: TxRefusal): void {
    for (const listener of this.#refusedListeners) listener(refusal)
  }

  #assertOpen(): void {
    assert(this.#isOpen, 'a transaction is used only until its handler has returned')
  }
}

const NOTHING_COMMITTED: TxEnd = { kind: 'committed', committed: { versions: [] } }
