/**
 * Fetches the messages of one leased queue ahead of their handling: one long poll after the other,
 * from where the last one ended, as long as there is room.
 *
 * Invariant: messages come out once each and in the order of their offsets; what was settled before
 * the lease began does not come out.
 */
import { type LeaseRef, queueOffset, type QueueOffset, sleep } from '@sagalog/kernel'
import {
  decodeStoredMessage,
  ProtocolError,
  pullMessage,
  type PullMessageResponse,
  ResponseCode,
  type StoredMessage,
} from '@sagalog/protocol'
import { type Connection, rejectedBy, type Reply } from './connection.js'
import { ClientError } from './errors.js'
import * as limits from './limits.js'

/** What is fetched and not taken; above either the loop waits. */
export interface Prefetch {
  readonly messages: number
  readonly bytes: number
}

export interface PullLoopOptions {
  readonly connection: Connection
  readonly lease: LeaseRef
  /** The first offset that may not be settled. */
  readonly watermark: QueueOffset
  /** Offsets above it that are settled. */
  readonly settled: Iterable<QueueOffset>
  readonly prefetch: Prefetch
  /** Called when there is something to take. */
  readonly onMessages: () => void
  /** The broker does not know the lease any more; the loop has ended. */
  readonly onStaleLease: () => void
  readonly onProblem: (what: string, cause: unknown) => void
}

interface Fetched {
  readonly message: StoredMessage
  readonly bytes: number
}

export class PullLoop {
  readonly #options: PullLoopOptions
  readonly #settled: Set<QueueOffset>
  /** Invariant: ascending offsets, all below `#nextOffset`. */
  #fetched: Fetched[] = []
  #fetchedBytes = 0
  #nextOffset: QueueOffset
  #isStopped = false
  #wakeWhenRoom: (() => void) | undefined

  constructor(options: PullLoopOptions) {
    this.#options = options
    this.#settled = new Set(options.settled)
    this.#nextOffset = options.watermark
  }

  start(): void {
    void this.#run()
  }

  /** Ends the loop and forgets what was fetched; nothing comes out any more. */
  stop(): void {
    this.#isStopped = true
    this.#fetched = []
    this.#wakeWhenRoom?.()
  }

  /** The next message, or undefined when none is here yet. */
  take(): StoredMessage | undefined {
    const first = this.#fetched.shift()
    if (first === undefined) return undefined
    this.#fetchedBytes -= first.bytes
    if (this.#hasRoom()) this.#wakeWhenRoom?.()
    return first.message
  }

  #hasRoom(): boolean {
    const { bytes, messages } = this.#options.prefetch
    return this.#fetched.length <= messages - this.#atOnce && this.#fetchedBytes < bytes
  }

  /** Messages of one pull. */
  get #atOnce(): number {
    return Math.min(limits.PULL_MESSAGES_MAX, this.#options.prefetch.messages)
  }

  async #run(): Promise<void> {
    const { clock } = this.#options.connection.ports
    while (!this.#isStopped) {
      if (!this.#hasRoom()) {
        await new Promise<void>((resolve) => {
          this.#wakeWhenRoom = resolve
        })
        this.#wakeWhenRoom = undefined
        continue
      }
      const pauseMs = await this.#pull()
      if (pauseMs > 0 && !this.#isStopped) await sleep(clock, pauseMs)
    }
  }

  /** One pull; gives the milliseconds to wait before the next. */
  async #pull(): Promise<number> {
    const { connection, lease, onProblem } = this.#options
    const { clock } = connection.ports
    const askedAtMs = clock.monotonicMs()
    try {
      const timeoutMs = limits.PULL_SUSPEND_MS + connection.requestTimeoutMs
      const reply = await connection.request(pullMessage, this.#request(lease), { timeoutMs })
      if (this.#isStopped) return 0
      // An empty answer is held back by the broker; one that was not must not make us spin.
      const isHasty = clock.monotonicMs() - askedAtMs < limits.PULL_RETRY_MS
      return this.#take(reply, isHasty)
    } catch (thrown) {
      if (ClientError.is(thrown)) {
        if (thrown.code === 'CLOSED') this.stop()
        else if (thrown.code !== 'DISCONNECTED') onProblem('a pull failed', thrown)
        return limits.PULL_RETRY_MS
      }
      if (ProtocolError.is(thrown)) {
        // Nothing behind it can be delivered before it, so the queue waits, in sight.
        onProblem('a pull brought what is no message', thrown)
        return limits.MALFORMED_RETRY_MS
      }
      this.stop()
      throw thrown
    }
  }

  #request(lease: LeaseRef) {
    return {
      consumerGroup: lease.group,
      topic: lease.topic,
      queueId: lease.queueId,
      queueOffset: this.#nextOffset,
      maxMessages: this.#atOnce,
      maxBytes: limits.PULL_BYTES_MAX,
      suspendMs: limits.PULL_SUSPEND_MS,
      subscription: '*',
      epoch: lease.epoch,
    }
  }

  #take(reply: Reply<PullMessageResponse>, isHasty: boolean): number {
    const { code, payload } = reply
    if (code === ResponseCode.STALE_LEASE) {
      this.stop()
      this.#options.onStaleLease()
      return 0
    }
    if (payload === undefined) {
      this.#options.onProblem('a pull was refused', rejectedBy(pullMessage.name, reply))
      return limits.PULL_RETRY_MS
    }
    const askedOffset = this.#nextOffset
    const fetchedBefore = this.#fetched.length
    try {
      for (const bytes of payload.messages) this.#fetch(bytes)
      this.#nextOffset = payload.nextBeginOffset
    } finally {
      // What stands before a malformed message is delivered all the same.
      if (this.#fetched.length > fetchedBefore) this.#options.onMessages()
    }
    const hasMoved = this.#nextOffset !== askedOffset
    return hasMoved || !isHasty ? 0 : limits.PULL_RETRY_MS
  }

  /** Moves the place with each message, so that a retry begins behind the last good one. */
  #fetch(bytes: Buffer): void {
    const message = decodeStoredMessage(bytes, 0)
    const offset = message.queueOffset
    // The broker answers with whole runs of the queue, which may begin before what was asked.
    if (offset < this.#nextOffset) return
    this.#nextOffset = queueOffset(offset + 1)
    if (this.#settled.delete(offset)) return
    this.#fetched.push({ message, bytes: bytes.length })
    this.#fetchedBytes += bytes.length
  }
}
