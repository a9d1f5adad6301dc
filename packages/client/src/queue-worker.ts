/**
 * Works off one queue under one lease: takes fetched messages in order, runs the handler, commits
 * what it collected together with the acknowledgement, and tries again in place when it fails.
 *
 * Invariant: nothing is committed once the lease has ended here; in 'orderly' order a message is
 * delivered only after the one before it is settled.
 */
import { assert, below, type LeaseRef, type QueueOffset, unreachable } from '@sagalog/kernel'
import type { QueueGrant, StoredMessage } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import { setMaxListeners } from 'node:events'
import type { Connection } from './connection.js'
import { commitDeadLetter, type DeadMessage } from './dead-letter.js'
import { type Delivery, type Holder, newDelivery } from './delivery.js'
import { ClientError } from './errors.js'
import * as limits from './limits.js'
import { KeyParking, type ParkedBecause } from './key-parking.js'
import type { Listener, Run } from './listener.js'
import { type Prefetch, PullLoop } from './pull-loop.js'
import { receivedMessage, type ReceivedMessage } from './received.js'
import { asFirstSent, commitRetry, retryDelayMs, type RetryPolicy, triesBefore } from './retry.js'
import { SettleTogether } from './settle-together.js'
import { type OpenTx, openTx, type TxEnd } from './tx.js'

export interface WorkerOptions {
  readonly connection: Connection
  readonly group: string
  readonly grant: QueueGrant
  readonly listener: Listener
  readonly liveUntilMs: number
  readonly retryMs: number
  readonly attemptsMax: number
  /** Without it a failed message is tried again in place. */
  readonly retry: RetryPolicy | undefined
  /** Of an 'orderly' listener: a message that fails for good parks its key. */
  readonly parksKeys: boolean
  readonly prefetch: Prefetch
  /** The broker says that the lease has ended; the worker has, too. */
  readonly onLeaseEnded: () => void
  readonly onProblem: (what: string, cause: unknown) => void
}

const IN_HAND_MAX: Readonly<Record<Listener['order'], number>> = {
  orderly: 1,
  concurrent: limits.CONCURRENT_IN_HAND_MAX,
  held: limits.HELD_IN_HAND_MAX,
}

/** Failures that say something about the connection and nothing about what was sent on it. */
const isOfConnection = (thrown: unknown): boolean =>
  ClientError.is(thrown) && ['OVERLOADED', 'TIMEOUT', 'DISCONNECTED'].includes(thrown.code)

/** What is to be done after one try of a message. */
type Next = 'done' | 'left' | 'to-settle' | 'again' | 'again-later' | 'failed'

interface Tried {
  readonly next: Next
  readonly reason: string
}

const LEFT: Tried = { next: 'left', reason: '' }
const TO_SETTLE: Tried = { next: 'to-settle', reason: '' }

interface FirstTry {
  readonly run: Run
  /** 1 unless it was tried before it came here. */
  readonly attempt: number
  /** How it is settled when it is acknowledged already. */
  readonly back?: ComesBack
}

interface ToPark {
  readonly delivery: Delivery
  readonly message: ReceivedMessage
  /** Undefined for one that is set aside because its key is parked. */
  readonly failed?: ParkedBecause
}

/** How a message of a released key is settled: it is acknowledged already. */
interface ComesBack {
  /** Names the commit: repeated, it is applied once. */
  readonly commitKey: string
  settle(tx: OpenTx): void
  failed(reason: string, attempts: number): Promise<Next>
}

export class QueueWorker implements Holder {
  readonly lease: LeaseRef
  readonly #options: WorkerOptions
  readonly #pulls: PullLoop
  readonly #aborter = new AbortController()
  /** Delivered, and neither settled nor handed over to be settled. */
  readonly #inHand = new Set<QueueOffset>()
  /** Ends the pauses between tries. */
  readonly #wakers = new Set<() => void>()
  readonly #drainers: (() => void)[] = []
  readonly #toSettle: SettleTogether
  #state: 'working' | 'draining' | 'ended' = 'working'
  #liveUntilMs: number
  /** Handlers that have not ended, pauses between their tries included. */
  #running = 0
  readonly #parking: KeyParking | undefined
  /** Where keys are parked, one message of a queue is at work at a time, wherever it comes from. */
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: WorkerOptions) {
    // As many as are in hand may listen; Node would take more than ten for a leak and say so.
    setMaxListeners(0, this.#aborter.signal)
    const { connection, grant, group } = options
    const { epoch, queueId, settled, topic, watermark } = grant
    this.#options = options
    this.#liveUntilMs = options.liveUntilMs
    this.lease = { group, topic, queueId, epoch }
    this.#parking = options.parksKeys ? new KeyParking(connection, this) : undefined
    this.#toSettle = new SettleTogether({
      connection,
      isLive: () => this.isLive,
      pause: async () => {
        // A queue that is being given back does not wait.
        if (this.#state === 'working') await this.#pause(options.retryMs)
        return this.#state === 'working'
      },
      onSettled: () => this.#deliver(),
      onBusy: () => {
        this.#running += 1
      },
      onIdle: () => this.#ended(),
      onProblem: options.onProblem,
    })
    this.#pulls = new PullLoop({
      connection,
      lease: this.lease,
      watermark,
      settled,
      prefetch: options.prefetch,
      onMessages: () => this.#deliver(),
      onStaleLease: () => this.leaseEnded(),
      onProblem: options.onProblem,
    })
  }

  get isLive(): boolean {
    const { connection } = this.#options
    if (this.#state === 'ended' || connection.isClosed) return false
    return connection.ports.clock.monotonicMs() < this.#liveUntilMs
  }
  get liveUntilMs(): number {
    return this.#liveUntilMs
  }
  get isDraining(): boolean {
    return this.#state === 'draining'
  }

  start(): void {
    if (this.#parking === undefined) this.#pulls.start()
    else void this.#workOffReleased(this.#parking)
  }

  renew(liveUntilMs: number): void {
    this.#liveUntilMs = Math.max(this.#liveUntilMs, liveUntilMs)
  }

  settled(offset: QueueOffset): void {
    if (this.#inHand.delete(offset)) this.#deliver()
  }

  leaseEnded(): void {
    if (this.#state === 'ended') return
    this.end()
    this.#options.onLeaseEnded()
  }

  /** Stops at once: aborts the handlers, whose changes will not be committed. */
  end(): void {
    if (this.#state === 'ended') return
    this.#state = 'ended'
    this.#pulls.stop()
    this.#aborter.abort()
    this.#wake()
    this.#drained()
  }

  /**
   * Takes nothing new, lets the running handlers end, then ends. Resolves at once when something
   * else ends it. Deliveries that are held without a running handler are not waited for: they come
   * again at the queue's next holder.
   */
  async drain(): Promise<void> {
    if (this.#state === 'ended') return
    this.#state = 'draining'
    this.#pulls.stop()
    this.#wake()
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#drainers.push(resolve)
      })
    }
    this.end()
  }

  get #hasRoom(): boolean {
    return (
      this.#state === 'working' &&
      this.#inHand.size < IN_HAND_MAX[this.#options.listener.order] &&
      this.#toSettle.count < limits.TO_SETTLE_MAX
    )
  }

  #deliver(): void {
    const { connection, listener } = this.#options
    while (this.#hasRoom) {
      const stored = this.#pulls.take()
      if (stored === undefined) break
      if (!listener.takes(stored)) {
        this.#toSettle.add(newDelivery(this, stored.queueOffset))
        continue
      }
      connection.ports.hops.reach('client.deliver')
      this.#inHand.add(stored.queueOffset)
      this.#running += 1
      this.#work(stored)
    }
    this.#toSettle.begin()
  }

  #work(stored: StoredMessage): void {
    const message = asFirstSent(receivedMessage(stored), stored)
    const delivery = newDelivery(this, message.offset)
    const settle = (): Promise<Next> => this.#settle(delivery, message, stored)
    const ended = this.#parking === undefined ? settle() : this.#inTurn(settle)
    void ended.then((next) => this.#worked(delivery, next))
  }

  #worked(delivery: Delivery, next: Next): void {
    if (next === 'to-settle') this.#toSettle.add(delivery)
    if (next === 'done' || next === 'to-settle') {
      this.#inHand.delete(delivery.offset)
      this.#deliver()
    }
    this.#ended()
  }

  #ended(): void {
    this.#running -= 1
    if (this.#running === 0) this.#drained()
  }

  async #settle(
    delivery: Delivery,
    message: ReceivedMessage,
    stored: StoredMessage,
  ): Promise<Next> {
    const { key } = message
    if (key !== undefined && this.#parking?.isParked(key) === true) {
      const next = await this.#setAside(this.#parking, { delivery, message })
      if (next !== 'again') return next
    }
    const prepared = this.#options.listener.prepare(message)
    return E.isLeft(prepared)
      ? this.#bury(delivery, { message, reason: prepared.left, attempts: 0 })
      : this.#handle(delivery, message, {
          run: prepared.right,
          attempt: triesBefore(message, stored) + 1,
        })
  }

  #inTurn<A>(work: () => Promise<A>): Promise<A> {
    const mine = this.#turn.then(work)
    this.#turn = mine.catch(() => undefined)
    return mine
  }

  /** 'again' when its key flows once more: then it is handled like any other. */
  #setAside(parking: KeyParking, { delivery, failed, message }: ToPark): Promise<Next> {
    return this.#untilMoved('a parked message', () => parking.park(delivery, message, failed))
  }

  /** Begins once it is known what is parked, and looks for what is released until it ends. */
  async #workOffReleased(parking: KeyParking): Promise<void> {
    while (this.#state === 'working') {
      try {
        const isFirstLook = !parking.isKnown
        await parking.look()
        if (isFirstLook) this.#pulls.start()
        while (this.isLive && (await this.#inTurn(() => this.#workOffOne(parking)))) continue
      } catch (cause) {
        this.#options.onProblem('what is parked could not be read', cause)
      }
      await this.#pause(parking.isKnown ? limits.PARKED_LOOK_MS : this.#options.retryMs)
    }
  }

  /** False when nothing is released. */
  async #workOffOne(parking: KeyParking): Promise<boolean> {
    if (this.#state !== 'working') return false
    const returning = await parking.returning()
    if (returning === undefined) return false
    const { delivery, message } = returning
    this.#running += 1
    const back: ComesBack = {
      commitKey: parking.nameOf(returning),
      settle: (tx) => parking.handled(tx, returning),
      failed: (reason, attempts) =>
        this.#untilMoved('a parked key', () => parking.failed(returning, { reason, attempts })),
    }
    const prepared = this.#options.listener.prepare(message)
    const next = E.isLeft(prepared)
      ? await back.failed(prepared.left, 0)
      : await this.#handle(delivery, message, { run: prepared.right, attempt: 1, back })
    // Somebody else has changed what is parked: it is looked at anew.
    if (next === 'left') await parking.forget(returning).catch(() => undefined)
    this.#ended()
    return true
  }

  /** Tries until the message is settled, held, buried, or the worker ends. */
  async #handle(delivery: Delivery, message: ReceivedMessage, first: FirstTry): Promise<Next> {
    const { attemptsMax, connection, retryMs } = this.#options
    const { back, run } = first
    let { attempt } = first
    let conflicts = 0
    while (this.isLive) {
      const { next, reason } = await this.#try(delivery, run, { attempt, back })
      if (next === 'done' || next === 'left' || next === 'to-settle') return next
      if (next === 'again') {
        conflicts += 1
        // It may be the stream of what is parked: whoever asks for the next message looks anew.
        if (back !== undefined) return 'left'
        if (conflicts <= limits.CONFLICTS_AT_ONCE_MAX) continue
        await this.#pause(1 + below(connection.ports.random, limits.CONFLICT_WAIT_MS_MAX))
        continue
      }
      if (next === 'failed') {
        if (attempt >= attemptsMax && back !== undefined) return back.failed(reason, attempt)
        if (attempt >= attemptsMax)
          return this.#bury(delivery, { message, reason, attempts: attempt })
        if (this.#retries) return this.#comeAgain(delivery, message, attempt)
        attempt += 1
      }
      // A queue that is being given back does not wait: its next holder tries again.
      if (this.#state !== 'working') return 'left'
      await this.#pause(retryMs)
    }
    return 'left'
  }

  async #try(
    delivery: Delivery,
    run: Run,
    { attempt, back }: { readonly attempt: number; readonly back: ComesBack | undefined },
  ): Promise<Tried> {
    const { connection, listener, onProblem } = this.#options
    const tx = openTx(connection, back === undefined ? {} : { key: back.commitKey })
    try {
      connection.ports.hops.reach('client.handle')
      await run(delivery, tx, { signal: this.#aborter.signal, attempt })
      if (listener.order === 'concurrent' && tx.endUnused()) return TO_SETTLE
      if (back !== undefined) back.settle(tx)
      else if (listener.order !== 'held') tx.ack(delivery)
    } catch (cause) {
      tx.discard('handler-failed')
      return this.#failed(delivery, attempt, cause)
    }
    try {
      return this.#nextAfter(await tx.commit(), delivery)
    } catch (cause) {
      if (!isOfConnection(cause)) return this.#failed(delivery, attempt, cause)
      const { offset, queueId, topic } = delivery
      // The message and its handler are sound: nothing of this counts towards a dead letter.
      onProblem(`the commit of ${topic}/${queueId}@${offset} has to wait`, cause)
      return { next: 'again-later', reason: '' }
    }
  }

  #failed({ offset, queueId, topic }: Delivery, attempt: number, cause: unknown): Tried {
    this.#options.onProblem(`try ${attempt} of ${topic}/${queueId}@${offset} failed`, cause)
    return { next: 'failed', reason: String(cause) }
  }

  #nextAfter(end: TxEnd, delivery: Delivery): Tried {
    // Unknown under a lease that lives: the next try is told if it was committed after all.
    if (end.kind === 'abandoned') return { next: 'again-later', reason: '' }
    // A 'held' delivery was settled by the transaction itself, or stays in hand.
    if (end.kind === 'committed') return LEFT
    const { refusal } = end
    switch (refusal.reason) {
      case 'version-conflict':
        return { next: 'again', reason: '' }
      case 'already-settled': {
        const isOwn =
          refusal.ack.topic === delivery.topic &&
          refusal.ack.queueId === delivery.queueId &&
          refusal.ack.offset === delivery.offset
        if (isOwn) return { next: 'done', reason: '' }
        return { next: 'failed', reason: 'it acknowledged what was settled before' }
      }
      case 'stale-lease':
        // Another queue's lease that this transaction leant on: the handler sees its signal now.
        return { next: 'again-later', reason: '' }
      case 'no-such-topic':
        return { next: 'failed', reason: `topic ${refusal.topic} does not exist` }
      case 'not-allowed':
        return { next: 'failed', reason: refusal.detail }
      case 'stream-closed': {
        const { category, state, stream, why } = refusal
        return { next: 'failed', reason: `stream ${category}/${stream} is ${state}: ${why}` }
      }
      default:
        return unreachable(refusal)
    }
  }

  /** A queue in order can't let a message come back behind the others. */
  get #retries(): boolean {
    return this.#options.retry !== undefined && this.#options.listener.order === 'concurrent'
  }

  #comeAgain(delivery: Delivery, message: ReceivedMessage, attempts: number): Promise<Next> {
    const { connection, retry } = this.#options
    assert(retry !== undefined, 'who retries has a policy')
    const delayMs = retryDelayMs(retry, attempts, connection.ports.random)
    return this.#untilMoved('a retry', () =>
      commitRetry(connection, { delivery, message, attempts, delayMs }),
    )
  }

  #bury(delivery: Delivery, dead: Omit<DeadMessage, 'delivery'>): Promise<Next> {
    const { connection, onProblem } = this.#options
    const { offset, queueId, topic } = delivery
    const { message, ...failed } = dead
    if (this.#parking !== undefined && message.key !== undefined) {
      onProblem(`the key of ${topic}/${queueId}@${offset} is parked`, dead.reason)
      return this.#setAside(this.#parking, { delivery, message, failed })
    }
    onProblem(`${topic}/${queueId}@${offset} is a dead letter`, dead.reason)
    return this.#untilMoved('a dead letter', () =>
      commitDeadLetter(connection, { delivery, ...dead }),
    )
  }

  /** 'again' when there was nothing to move. */
  async #untilMoved(what: string, commit: () => Promise<boolean | void>): Promise<Next> {
    while (this.isLive) {
      try {
        return (await commit()) === false ? 'again' : 'done'
      } catch (cause) {
        this.#options.onProblem(`${what} could not be stored`, cause)
      }
      if (this.#state !== 'working') return 'left'
      await this.#pause(this.#options.retryMs)
    }
    return 'left'
  }

  #pause(delayMs: number): Promise<void> {
    if (this.#state !== 'working') return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel()
        this.#wakers.delete(wake)
        resolve()
      }
      const cancel = this.#options.connection.ports.clock.after(delayMs, wake)
      this.#wakers.add(wake)
    })
  }

  #drained(): void {
    for (const resolve of this.#drainers.splice(0)) resolve()
  }

  #wake(): void {
    for (const wake of [...this.#wakers]) wake()
  }
}
