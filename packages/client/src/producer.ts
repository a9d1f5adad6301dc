/**
 * Sends messages. A send that resolves is stored to the broker's durability; one that rejects says
 * whether it may have been stored. Nothing is sent twice by itself, except what the broker said it
 * was too busy to take. A caller that awaits each send keeps the order of a key.
 */
import type { OutgoingMessage, QueueOffset } from '@sagalog/kernel'
import { sleep } from '@sagalog/kernel'
import {
  AUTO_CREATE_TOPIC_KEY_TOPIC,
  MessageConst,
  MessageSysFlag,
  ResponseCode,
  sendMessage,
  type SendMessageRequest,
  uniqueIds,
  withProperty,
} from '@sagalog/protocol'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { type Connection, rejectedBy } from './connection.js'
import { ClientError } from './errors.js'
import { BUSY_RETRY_MS } from './limits.js'
import {
  encodedMessage,
  outgoingMessage,
  propertiesText,
  type SendOptions,
} from './outgoing-message.js'
import { createRoutes } from './routes.js'
import { asTaskEither } from './task-either.js'
import type { Topic } from './topic.js'
import { type CheckBack, createTransactions, type Half } from './transactions.js'
import type { Decision, TransactionResult } from './transactions.js'

export interface SendResult {
  /** The id that travels with the message. */
  readonly messageId: string
  /** The id that names its place in the broker's log. */
  readonly offsetMessageId: string
  readonly queueId: number
  readonly queueOffset: QueueOffset
}

/** What went wrong in the background, for a log. */
export interface Problem {
  readonly what: string
  readonly cause: unknown
}

export interface ProducerOptions {
  /** Check-backs go to any producer of the group. */
  readonly group: string
  /** Decides a half message whose confirmation never came. Needed for sendInTransaction. */
  readonly checkBack?: CheckBack
  readonly onProblem?: (problem: Problem) => void
}

/** The local step of a transaction: runs after the half message is durable, decides its fate. */
export type LocalStep = (half: Half) => Promise<Decision>

export interface Producer {
  readonly group: string
  /** Rejects with ClientError; `state` says whether the message may be stored. */
  send<A>(topic: Topic<A>, body: A, options?: SendOptions): Promise<SendResult>
  /** Sends without asking for a reply. Throws INVALID_MESSAGE only; what gets lost is lost. */
  sendOneWay<A>(topic: Topic<A>, body: A, options?: SendOptions): void
  /**
   * Stores a half message that nobody sees, runs the local step, then confirms. The outcome is
   * 'unknown' when the step said so or the confirmation got lost: the check-back decides then.
   * Rejects with HANDLER_FAILED when the step throws; the check-back decides then, too.
   */
  sendInTransaction<A>(
    topic: Topic<A>,
    body: A,
    options: SendOptions,
    local: LocalStep,
  ): Promise<TransactionResult>
  /** The same functions as TaskEithers. */
  readonly te: ProducerTaskEithers
  /** Stops answering check-backs. Sends in flight end as they would. */
  close(): void
}

export interface ProducerTaskEithers {
  send<A>(topic: Topic<A>, body: A, options?: SendOptions): TaskEither<ClientError, SendResult>
  sendInTransaction<A>(
    topic: Topic<A>,
    body: A,
    options: SendOptions,
    local: LocalStep,
  ): TaskEither<ClientError, TransactionResult>
}

export interface Stored extends SendResult {
  /** Equal to the message id, unless the broker said otherwise. */
  readonly transactionId: string
}

/** How a message is stored. */
export interface StoreAs {
  /** Makes it invisible until it is confirmed. */
  readonly isHalf: boolean
  /** The id that travels with it; a half's transaction is known by it. */
  readonly uniqueId: string
}

export type StoreMessage = (message: OutgoingMessage, as: StoreAs) => Promise<Stored>

export function createProducer(connection: Connection, options: ProducerOptions): Producer {
  const { clock, hops, random } = connection.ports
  const { group } = options
  const routes = createRoutes(connection)
  const nextUniqueId = uniqueIds(clock, random)
  let isClosed = false

  async function requestFor(
    message: OutgoingMessage,
    { isHalf, uniqueId }: StoreAs,
  ): Promise<SendMessageRequest> {
    let properties = propertiesText(message, uniqueId)
    if (isHalf) {
      properties = withProperty(properties, MessageConst.PROPERTY_TRANSACTION_PREPARED, 'true')
      properties = withProperty(properties, MessageConst.PROPERTY_PRODUCER_GROUP, group)
    }
    const queueId = await routes.queueFor(message)
    return {
      producerGroup: group,
      topic: message.topic,
      defaultTopic: AUTO_CREATE_TOPIC_KEY_TOPIC,
      defaultTopicQueueNums: 8,
      queueId,
      sysFlag: isHalf ? MessageSysFlag.TRANSACTION_PREPARED_TYPE : 0,
      bornTimestampMs: clock.wallMs(),
      flag: 0,
      properties,
      reconsumeTimes: 0,
      body: message.body,
    }
  }

  const store: StoreMessage = async (message, as) => {
    if (isClosed) throw new ClientError('CLOSED', { what: `the producer of ${group}` })
    const deadlineMs = clock.monotonicMs() + connection.requestTimeoutMs
    const { uniqueId } = as
    const request = await requestFor(message, as)
    for (;;) {
      const timeoutMs = Math.max(1, deadlineMs - clock.monotonicMs())
      const reply = await connection.request(sendMessage, request, { timeoutMs })
      // Some codes mean that it is stored but a replica was late; those carry the payload as well.
      if (reply.payload !== undefined) {
        const { msgId, queueId, queueOffset, transactionId = uniqueId } = reply.payload
        const id = { messageId: uniqueId, offsetMessageId: msgId }
        return { ...id, queueId, queueOffset, transactionId }
      }
      // Too busy means that it was not taken, so the same request may be made again.
      const isLate = clock.monotonicMs() + BUSY_RETRY_MS >= deadlineMs
      if (reply.code !== ResponseCode.SYSTEM_BUSY || isLate) {
        routes.forget(message.topic)
        if (reply.code !== ResponseCode.TOPIC_NOT_EXIST) throw rejectedBy(sendMessage.name, reply)
        const reason = reply.remark ?? 'the broker does not know it'
        throw new ClientError('NO_ROUTE', { topic: message.topic, reason })
      }
      await sleep(clock, BUSY_RETRY_MS)
    }
  }

  const transactions = createTransactions(connection, { ...options, nextUniqueId, store })

  const send = async <A>(
    topic: Topic<A>,
    body: A,
    sendOptions: SendOptions = {},
  ): Promise<SendResult> => {
    hops.reach('client.send')
    const message = encodedMessage(topic, body, sendOptions)
    const as = { isHalf: false, uniqueId: nextUniqueId() }
    const { transactionId: _, ...result } = await store(message, as)
    return result
  }
  const sendInTransaction = async <A>(
    topic: Topic<A>,
    body: A,
    sendOptions: SendOptions,
    local: LocalStep,
  ): Promise<TransactionResult> => {
    hops.reach('client.send')
    return transactions.run(encodedMessage(topic, body, sendOptions), local)
  }

  return {
    group,
    send,
    sendInTransaction,
    sendOneWay(topic, body, sendOptions = {}) {
      hops.reach('client.send')
      const message = outgoingMessage(topic, body, sendOptions)
      requestFor(message, { isHalf: false, uniqueId: nextUniqueId() }).then(
        (request) => connection.oneWay(sendMessage, request),
        (cause: unknown) => options.onProblem?.({ what: 'a one-way send was dropped', cause }),
      )
    },
    te: { send: asTaskEither(send), sendInTransaction: asTaskEither(sendInTransaction) },
    close() {
      isClosed = true
      transactions.close()
    },
  }
}
