/**
 * Sends messages. A send that resolves is stored to the broker's durability; one that rejects says
 * whether it may have been stored. Nothing is sent twice by itself, except what the broker said it
 * was too busy to take. A caller that awaits each send keeps the order of a key.
 */
import type { OutgoingMessage, QueueOffset } from '@sagalog/kernel'
import { queueOffset, sleep } from '@sagalog/kernel'
import {
  AUTO_CREATE_TOPIC_KEY_TOPIC,
  BATCH_MESSAGES_MAX,
  BODY_BYTES_MAX,
  MessageConst,
  MessageSysFlag,
  type RequestCodec,
  ResponseCode,
  sendBatch as sendBatchRequest,
  sendMessage,
  type SendMessageRequest,
  type SendMessageResponse,
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

/**
 * Where a message is stored. There is no status: a send that is not stored to the broker's
 * durability rejects.
 */
export interface SendResult {
  readonly topic: string
  /** The id that travels with the message. */
  readonly messageId: string
  /** The id that names its place in the broker's log. */
  readonly offsetMessageId: string
  readonly queueId: number
  readonly queueOffset: QueueOffset
}

/** One message of a batch; all of them share the batch's queue. */
export interface BatchMessage<A> extends Omit<
  SendOptions,
  'shardingKey' | 'delayMs' | 'delayLevel' | 'deliverAtMs'
> {
  readonly body: A
}

export interface BatchOptions {
  readonly shardingKey?: string
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
   * Sends messages to one queue, in their order: all are stored, one behind the other, or none.
   * With a sharding key to the key's queue. Rejects with INVALID_MESSAGE when there are more than
   * 4,096 messages, or more than 4 MiB of them.
   */
  sendBatch<A>(
    topic: Topic<A>,
    messages: readonly BatchMessage<A>[],
    options?: BatchOptions,
  ): Promise<readonly SendResult[]>
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
  sendBatch<A>(
    topic: Topic<A>,
    messages: readonly BatchMessage<A>[],
    options?: BatchOptions,
  ): TaskEither<ClientError, readonly SendResult[]>
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

  /** Until the broker takes it or says why not; `topic` is that of the request. */
  async function taken<Req>(
    codec: RequestCodec<Req, SendMessageResponse>,
    topic: string,
    makeRequest: () => Promise<Req>,
  ): Promise<SendMessageResponse> {
    if (isClosed) throw new ClientError('CLOSED', { what: `the producer of ${group}` })
    const deadlineMs = clock.monotonicMs() + connection.requestTimeoutMs
    const request = await makeRequest()
    for (;;) {
      const timeoutMs = Math.max(1, deadlineMs - clock.monotonicMs())
      const reply = await connection.request(codec, request, { timeoutMs })
      // Some codes mean that it is stored but a replica was late; those carry the payload as well.
      if (reply.payload !== undefined) return reply.payload
      // Too busy means that it was not taken, so the same request may be made again.
      const isLate = clock.monotonicMs() + BUSY_RETRY_MS >= deadlineMs
      if (reply.code !== ResponseCode.SYSTEM_BUSY || isLate) {
        routes.forget(topic)
        if (reply.code !== ResponseCode.TOPIC_NOT_EXIST) throw rejectedBy(codec.name, reply)
        const reason = reply.remark ?? 'the broker does not know it'
        throw new ClientError('NO_ROUTE', { topic, reason })
      }
      await sleep(clock, BUSY_RETRY_MS)
    }
  }

  const store: StoreMessage = async (message, as) => {
    const { topic } = message
    const { uniqueId } = as
    const reply = await taken(sendMessage, topic, () => requestFor(message, as))
    const { msgId, queueId, queueOffset: offset, transactionId = uniqueId } = reply
    return {
      topic,
      messageId: uniqueId,
      offsetMessageId: msgId,
      queueId,
      queueOffset: offset,
      transactionId,
    }
  }

  const sendBatch = async <A>(
    topic: Topic<A>,
    messages: readonly BatchMessage<A>[],
    { shardingKey }: BatchOptions = {},
  ): Promise<readonly SendResult[]> => {
    hops.reach('client.send')
    const encoded = messages.map(({ body, ...own }) => {
      const message = encodedMessage(topic, body, { ...own, shardingKey })
      const uniqueId = nextUniqueId()
      return {
        uniqueId,
        body: message.body,
        properties: propertiesText(message, uniqueId),
        flag: 0,
      }
    })
    checkBatch(topic.name, encoded)
    const [first] = encoded
    if (first === undefined) return []
    const key = shardingKey === undefined ? {} : { shardingKey }
    const named: OutgoingMessage = { topic: topic.name, body: first.body, ...key }
    const as = { isHalf: false, uniqueId: first.uniqueId }
    const reply = await taken(sendBatchRequest, topic.name, async () => {
      const { body: _, ...header } = await requestFor(named, as)
      return { ...header, messages: encoded }
    })
    const { msgId, queueId, queueOffset: offset } = reply
    const ids = msgId.split(',')
    return encoded.map(({ uniqueId }, index) => ({
      topic: topic.name,
      messageId: uniqueId,
      offsetMessageId: ids[index] ?? '',
      queueId,
      queueOffset: queueOffset(offset + index),
    }))
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
    sendBatch,
    te: {
      sendBatch: asTaskEither(sendBatch),
      send: asTaskEither(send),
      sendInTransaction: asTaskEither(sendInTransaction),
    },
    close() {
      isClosed = true
      transactions.close()
    },
  }
}

/** Throws INVALID_MESSAGE for what the broker would refuse, before it leaves the process. */
function checkBatch(
  topic: string,
  messages: readonly { body: Buffer; properties: string }[],
): void {
  const what = `a batch for ${topic}`
  let bytes = 0
  for (const { body, properties } of messages) bytes += body.length + Buffer.byteLength(properties)
  if (messages.length > BATCH_MESSAGES_MAX) {
    const reason = `it has ${messages.length} messages, at most ${BATCH_MESSAGES_MAX} are taken`
    throw new ClientError('INVALID_MESSAGE', { what, reason })
  }
  if (bytes <= BODY_BYTES_MAX) return
  const reason = `it has ${bytes} bytes, at most ${BODY_BYTES_MAX} are taken`
  throw new ClientError('INVALID_MESSAGE', { what, reason })
}
