/**
 * The dead letters of a group, for whoever operates it: read them, send them again, discard them.
 * A letter is settled in the commit that sends it again, under a lease of an operators' group, so
 * it is sent again once, whatever crashes and however many operators try.
 */
import type { LeaseRef, OutgoingMessage, QueueOffset } from '@sagalog/kernel'
import { queueOffset, randomHex } from '@sagalog/kernel'
import {
  deadLetterOperators,
  deadLetterTopic,
  decodeStoredMessage,
  leaseQueues,
  type LeaseQueuesResponse,
  MessageConst,
  pullMessage,
  type PullMessageResponse,
  type QueueGrant,
  ResponseCode,
  retryTopic,
  type StoredMessage,
} from '@sagalog/protocol'
import { type Connection, rejectedBy } from './connection.js'
import { DEAD_LETTER_REASON } from './dead-letter.js'
import { type Holder, newDelivery } from './delivery.js'
import { ClientError } from './errors.js'
import { PULL_BYTES_MAX } from './limits.js'
import { copyFor } from './moved-message.js'
import { receivedMessage, type ReceivedMessage } from './received.js'
import { triesBefore } from './retry.js'
import { ensureTopic } from './topic.js'
import { openTx } from './tx.js'

/** One dead letter, not sent again yet. */
export interface DeadLetter {
  /** Names it among the letters of its group: the queue and the offset. */
  readonly queueId: number
  readonly offset: number
  /** Where it was first sent, and the id it had there. */
  readonly topic: string
  readonly id: string
  readonly reason: string
  /** How often it was tried; 0 for one that could not be read. */
  readonly attempts: number
  readonly diedAtMs: number
  /** As it stands in the dead-letter topic. */
  readonly message: ReceivedMessage
}

/**
 * Where a letter is sent again. 'group': to the retry topic, so that only this group gets it; its
 * consumers must have been created with a `retry` policy. 'topic': to its first topic, where every
 * group gets it.
 */
export type RedriveTo = 'group' | 'topic'

export interface DeadLetters {
  /** The letters that are neither sent again nor discarded, oldest first; at most `max`. */
  list(options?: { readonly max?: number }): Promise<readonly DeadLetter[]>
  /** False when it had been sent again or discarded before. */
  redrive(letter: DeadLetter, to?: RedriveTo): Promise<boolean>
  /** Sends again all that `which` takes; resolves with their number. */
  redriveAll(to?: RedriveTo, which?: (letter: DeadLetter) => boolean): Promise<number>
  /** Settles it without sending it again. False when it was settled before. */
  discard(letter: DeadLetter): Promise<boolean>
}

/** Letters that one commit sends again. */
const REDRIVE_AT_ONCE = 64
const LIST_MAX = 1_000

/**
 * Each call takes the lease of the operators' group for its own time. Rejects with REJECTED while
 * another operator has it, and with the ClientErrors of any request.
 */
export function deadLettersOf(connection: Connection, group: string): DeadLetters {
  const { ports } = connection
  const topic = deadLetterTopic(group)
  const operators = deadLetterOperators(group)

  async function withLease<A>(none: A, work: (desk: Desk) => Promise<A>): Promise<A> {
    const instance = randomHex(ports.random)
    const base = { group: operators, instance, mode: 'clustering', topics: [topic] } as const
    const ask = (held: readonly LeaseRef[], leaving = false) =>
      connection.request(leaseQueues, { ...base, held, from: 'first', leaving })
    const askedAtMs = ports.clock.monotonicMs()
    const reply = await ask([])
    if (reply.code === ResponseCode.TOPIC_NOT_EXIST) return none
    if (reply.payload === undefined) throw rejectedBy(leaseQueues.name, reply)
    try {
      if (reply.payload.grants.length === 0) {
        const remark = `another operator is at work on ${topic}; try again when it has ended`
        const code = 'IN_USE'
        throw new ClientError('REJECTED', { request: leaseQueues.name, code, remark })
      }
      const desk = new Desk(connection, operators, reply.payload)
      desk.liveUntilMs = askedAtMs + reply.payload.leaseMs
      desk.renew = async () => {
        const againAtMs = ports.clock.monotonicMs()
        const { payload } = await ask(desk.leases)
        if (payload !== undefined) desk.liveUntilMs = againAtMs + payload.leaseMs
      }
      return await work(desk)
    } finally {
      // Unsaid, a goodbye costs the next operator the rest of the lease's time.
      await ask([], true).catch(() => undefined)
    }
  }

  function again(letter: DeadLetter, to: RedriveTo): OutgoingMessage {
    if (to === 'topic') return copyFor(letter.topic, withoutReason(letter.message), {})
    return copyFor(retryTopic(group), withoutReason(letter.message), {
      [MessageConst.PROPERTY_RETRY_TOPIC]: letter.topic,
      [MessageConst.PROPERTY_ORIGIN_MESSAGE_ID]: letter.id,
    })
  }
  async function settle(letter: DeadLetter, sends: readonly OutgoingMessage[]): Promise<boolean> {
    return withLease(false, (desk) => desk.settle([letter], sends))
  }
  const ready = async (to: RedriveTo): Promise<void> => {
    if (to === 'group') await ensureTopic(connection, retryTopic(group), { queues: 1 })
  }

  return {
    list({ max = LIST_MAX } = {}) {
      return withLease<readonly DeadLetter[]>([], async (desk) => {
        const found: DeadLetter[] = []
        for await (const letters of desk.read()) {
          found.push(...letters)
          if (found.length >= max) break
        }
        return found.slice(0, max)
      })
    },
    async redrive(letter, to = 'group') {
      await ready(to)
      return settle(letter, [again(letter, to)])
    },
    async redriveAll(to = 'group', which = () => true) {
      await ready(to)
      return withLease(0, async (desk) => {
        let count = 0
        for await (const letters of desk.read()) {
          const taken = letters.filter((letter) => which(letter))
          if (taken.length === 0) continue
          count += await desk.settleAll(taken, (letter) => again(letter, to))
        }
        return count
      })
    },
    discard: (letter) => settle(letter, []),
  }
}

function withoutReason(message: ReceivedMessage): ReceivedMessage {
  const { [DEAD_LETTER_REASON]: _, ...properties } = message.properties
  return { ...message, properties }
}

/** The leases of one call: what is read and settled under them. */
class Desk {
  readonly #connection: Connection
  readonly #group: string
  readonly #grants: readonly QueueGrant[]
  /** By the monotonic clock. */
  liveUntilMs = 0
  renew: () => Promise<void> = () => Promise.resolve()
  readonly leaseMs: number

  constructor(
    connection: Connection,
    group: string,
    { grants, leaseMs }: Pick<LeaseQueuesResponse, 'grants' | 'leaseMs'>,
  ) {
    this.#connection = connection
    this.#group = group
    this.#grants = grants
    this.leaseMs = leaseMs
  }

  get leases(): LeaseRef[] {
    return this.#grants.map((grant) => this.#leaseOf(grant))
  }

  #leaseOf({ epoch, queueId, topic }: QueueGrant): LeaseRef {
    return { group: this.#group, topic, queueId, epoch }
  }

  /** The letters that were there and not settled when the reading began, in order. */
  async *read(): AsyncGenerator<readonly DeadLetter[], void> {
    for (const grant of this.#grants) {
      const settled = new Set<number>(grant.settled)
      let offset = grant.watermark
      // What is sent again and dies again comes behind the end: it is not taken twice.
      let end: number | undefined
      while (end === undefined || offset < end) {
        await this.#renewInTime()
        const { maxOffset, messages, nextBeginOffset } = await this.#pull(grant, offset)
        end ??= maxOffset
        const from = offset
        const upTo = end
        yield messages
          .map((bytes) => letterOf(decodeStoredMessage(bytes, 0)))
          .filter((letter) => letter.offset >= from && letter.offset < upTo)
          .filter((letter) => !settled.has(letter.offset))
        if (nextBeginOffset <= offset) break
        offset = nextBeginOffset
      }
    }
  }

  async #pull(grant: QueueGrant, offset: QueueOffset): Promise<PullMessageResponse> {
    const { group, ...queue } = this.#leaseOf(grant)
    const reply = await this.#connection.request(pullMessage, {
      ...queue,
      consumerGroup: group,
      queueOffset: offset,
      maxMessages: REDRIVE_AT_ONCE,
      maxBytes: PULL_BYTES_MAX,
      suspendMs: 0,
      subscription: '*',
    })
    if (reply.payload === undefined) throw rejectedBy(pullMessage.name, reply)
    return reply.payload
  }

  async #renewInTime(): Promise<void> {
    const leftMs = this.liveUntilMs - this.#connection.ports.clock.monotonicMs()
    if (leftMs < this.leaseMs / 2) await this.renew()
  }

  /** Settles letters and sends messages in one commit; false when one was settled before. */
  async settle(
    letters: readonly DeadLetter[],
    sends: readonly OutgoingMessage[],
  ): Promise<boolean> {
    const tx = openTx(this.#connection)
    for (const letter of letters) {
      const holder = this.#holderOf(letter)
      if (holder === undefined) return false
      tx.ack(newDelivery(holder, queueOffset(letter.offset)))
    }
    for (const message of sends) tx.forward(message)
    const end = await tx.commit()
    if (end.kind === 'committed') return true
    if (end.kind === 'refused' && end.refusal.reason === 'already-settled') return false
    const code = end.kind === 'refused' ? end.refusal.reason : 'abandoned'
    const remark = 'the dead letters were not settled; list them again to see where they stand'
    throw new ClientError('REJECTED', { request: 'commit', code, remark })
  }

  /** The same for many, in as many commits as the broker's log needs; gives how many it settled. */
  async settleAll(
    letters: readonly DeadLetter[],
    again: (letter: DeadLetter) => OutgoingMessage,
  ): Promise<number> {
    try {
      const isSettled = await this.settle(
        letters,
        letters.map((letter) => again(letter)),
      )
      return isSettled ? letters.length : 0
    } catch (thrown) {
      const isTooLarge = ClientError.is(thrown) && thrown.detail['code'] === 'MESSAGE_ILLEGAL'
      if (!isTooLarge || letters.length === 1) throw thrown
    }
    const half = letters.length >> 1
    const first = await this.settleAll(letters.slice(0, half), again)
    return first + (await this.settleAll(letters.slice(half), again))
  }

  #holderOf({ queueId }: DeadLetter): Holder | undefined {
    const grant = this.#grants.find((one) => one.queueId === queueId)
    if (grant === undefined) return undefined
    const { clock } = this.#connection.ports
    const isLive = (): boolean => clock.monotonicMs() < this.liveUntilMs
    const { liveUntilMs } = this
    return {
      lease: this.#leaseOf(grant),
      liveUntilMs,
      get isLive() {
        return isLive()
      },
      settled: () => undefined,
      leaseEnded: () => undefined,
    }
  }
}

function letterOf(stored: StoredMessage): DeadLetter {
  const message = receivedMessage(stored)
  const { properties, queueId, storedAtMs } = message
  return {
    queueId,
    offset: message.offset,
    topic:
      properties[MessageConst.PROPERTY_DLQ_ORIGIN_TOPIC] ??
      // RocketMQ's brokers say it so.
      properties[MessageConst.PROPERTY_RETRY_TOPIC] ??
      message.topic,
    id: properties[MessageConst.PROPERTY_DLQ_ORIGIN_MESSAGE_ID] ?? message.id,
    reason: properties[DEAD_LETTER_REASON] ?? 'its consumer gave it up without a reason',
    attempts: triesBefore(message, stored),
    diedAtMs: storedAtMs,
    message,
  }
}
