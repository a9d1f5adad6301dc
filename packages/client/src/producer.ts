/**
 * Sends messages. A send that resolves is stored to the broker's durability; one that rejects says
 * whether it may have been stored. A send whose answer got lost is made again by itself and stored
 * once: `send-tries.ts`. The sends of a key are stored in the order in which they were made.
 */
import type { OutgoingMessage, QueueOffset } from '@sagalog/kernel'
import { assert, queueOffset } from '@sagalog/kernel'
import {
  AUTO_CREATE_TOPIC_KEY_TOPIC,
  BATCH_MESSAGES_MAX,
  BODY_BYTES_MAX,
  MessageConst,
  MessageSysFlag,
  type NumberedSend,
  type RequestCodec,
  ResponseCode,
  sendBatch as sendBatchRequest,
  type SendBatchRequest,
  type SendHeader,
  sendMessage,
  type SendMessageRequest,
  type SendMessageResponse,
  SendNumbers,
  withProperty,
} from '@sagalog/protocol'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { Connection, Waiting } from './connection.js'
import { ClientError } from './errors.js'
import {
  encodedMessage,
  outgoingMessage,
  propertiesText,
  type SendOptions,
} from './outgoing-message.js'
import { createRoutes } from './routes.js'
import { type Keyed, SendLanes } from './send-lanes.js'
import { FORGOTTEN, inLane, requestUntilRouted, sendUntilTaken } from './send-tries.js'
import { type Taken, tryTimeoutMs, type TryOutcome } from './send-tries.js'
import { asTaskEither } from './task-either.js'
import type { Topic } from './topic.js'
import { type CheckBack, createTransactions, type Half } from './transactions.js'
import type { Decision, TransactionResult } from './transactions.js'

/**
 * SEND_OK: stored to the broker's durability. The others come from brokers of RocketMQ only: it is
 * stored, but the disk or the replica was late.
 */
export type SendStatus =
  | 'SEND_OK'
  | 'FLUSH_DISK_TIMEOUT'
  | 'FLUSH_SLAVE_TIMEOUT'
  | 'SLAVE_NOT_AVAILABLE'

/** How and where a message is stored. A send that is not stored rejects. */
export interface SendResult {
  readonly status: SendStatus
  readonly topic: string
  /** The id that travels with the message. */
  readonly messageId: string
  /** The id that names its place in the broker's log. */
  readonly offsetMessageId: string
  readonly queueId: number
  /** Its place in the queue; for what has none yet, a half or a delayed one, that in the log. */
  readonly queueOffset: QueueOffset
  /** By which a check-back would know it: the message id, unless the broker said otherwise. */
  readonly transactionId: string
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
  /**
   * Milliseconds for one send, all its tries together. The connection's requestTimeoutMs, which is
   * the most for one try, unless told.
   */
  readonly sendTimeoutMs?: number
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

/** How a message is stored. */
export interface StoreAs {
  /** Makes it invisible until it is confirmed. */
  readonly isHalf: boolean
  /** Told the id that travels with the message, before it leaves; another when it is made anew. */
  readonly onNamed?: (uniqueId: string) => void
}

export type StoreMessage = (message: OutgoingMessage, as: StoreAs) => Promise<SendResult>

export function createProducer(connection: Connection, options: ProducerOptions): Producer {
  const { clock, hops, random } = connection.ports
  const { group, sendTimeoutMs = connection.requestTimeoutMs } = options
  const routes = createRoutes(connection)
  const numbers = new SendNumbers(clock, random)
  const lanes = new SendLanes()
  let isClosed = false

  /** Sends that wait for a route, or go on from there: those that come meanwhile stay behind. */
  let unrouted = 0

  function propertiesFor(message: OutgoingMessage, { sysFlag, uniqueId }: Named): string {
    const properties = propertiesText(message, uniqueId)
    if ((sysFlag & MessageSysFlag.TRANSACTION_PREPARED_TYPE) === 0) return properties
    const { PROPERTY_PRODUCER_GROUP, PROPERTY_TRANSACTION_PREPARED } = MessageConst
    const prepared = withProperty(properties, PROPERTY_TRANSACTION_PREPARED, 'true')
    return withProperty(prepared, PROPERTY_PRODUCER_GROUP, group)
  }

  async function routedRequest(message: OutgoingMessage, as: Named): Promise<SendMessageRequest> {
    const properties = propertiesFor(message, as)
    return requestFor(message, { ...as, properties, queueId: await routes.queueFor(message) })
  }

  function requestFor(
    message: OutgoingMessage,
    { properties, queueId, sysFlag }: Omit<Named, 'uniqueId'> & Prepared,
  ): SendMessageRequest {
    return {
      producerGroup: group,
      topic: message.topic,
      defaultTopic: AUTO_CREATE_TOPIC_KEY_TOPIC,
      defaultTopicQueueNums: 8,
      queueId,
      sysFlag,
      bornTimestampMs: clock.wallMs(),
      flag: 0,
      properties,
      reconsumeTimes: 0,
      body: message.body,
    }
  }

  function assertOpen(): void {
    if (isClosed) throw new ClientError('CLOSED', { what: `the producer of ${group}` })
  }

  function ended(keyed: Keyed, send: NumberedSend): void {
    lanes.leave(keyed, send)
    numbers.end(send)
  }

  /**
   * Until the broker has it or says why not. `begin` numbers the send, at once; `first` is one that
   * began already, whose first try did not end it.
   */
  async function taken<Req extends SendHeader>(
    codec: RequestCodec<Req, SendMessageResponse>,
    keyed: Keyed,
    begin: () => readonly [NumberedSend, () => Promise<Req>],
    first?: Begun<Req>,
  ): Promise<Taken> {
    if (first === undefined) assertOpen()
    const deadlineMs = first?.deadlineMs ?? clock.monotonicMs() + sendTimeoutMs
    for (let begun = first; ; begun = undefined) {
      const [send, makeRequest] = begun === undefined ? begin() : begunAs(begun)
      const lane = begun === undefined ? lanes.enter(keyed, send) : begun.lane
      try {
        unrouted += 1
        let ending: ReturnType<typeof sendUntilTaken>
        try {
          const request = await requestUntilRouted(clock, makeRequest, deadlineMs)
          const { outcome } = begun ?? {}
          // Its next try leaves within this call.
          ending = sendUntilTaken(connection, { codec, request, send, lane, deadlineMs, outcome })
        } finally {
          unrouted -= 1
        }
        const end = await ending
        if (end !== FORGOTTEN) return end
        if (numbers.isCurrent(send)) numbers.renew()
      } catch (thrown) {
        routes.forget(keyed.topic)
        throw thrown
      } finally {
        ended(keyed, send)
      }
    }
  }

  async function storeByTries(
    message: OutgoingMessage,
    { isHalf, onNamed }: StoreAs,
    first?: Begun<SendMessageRequest>,
  ): Promise<SendResult> {
    let uniqueId = first?.send.uniqueId ?? ''
    const begin = () => {
      const send = numbers.next()
      uniqueId = send.uniqueId
      onNamed?.(uniqueId)
      const as = { uniqueId, sysFlag: sysFlagOf(isHalf) }
      return [send, () => routedRequest(message, as)] as const
    }
    const { code, payload } = await taken(sendMessage, message, begin, first)
    return resultOf(message.topic, uniqueId, { code, payload })
  }

  /** The way of nearly every message: no promise but the caller's, resolved by the reply itself. */
  const store: StoreMessage = (message, as) => {
    const queueId = unrouted === 0 && !isClosed ? routes.queueNow(message) : undefined
    if (queueId === undefined) return storeByTries(message, as)
    return new Promise((resolve, reject) => {
      const { topic } = message
      const deadlineMs = clock.monotonicMs() + sendTimeoutMs
      const send = numbers.next()
      const { uniqueId } = send
      as.onNamed?.(uniqueId)
      const lane = lanes.enter(message, send)
      let request: SendMessageRequest
      try {
        const sysFlag = sysFlagOf(as.isHalf)
        const properties = propertiesFor(message, { uniqueId, sysFlag })
        request = requestFor(message, { properties, queueId, sysFlag })
      } catch (thrown) {
        ended(message, send)
        throw thrown
      }
      const goOn = (outcome: TryOutcome): void => {
        const first = { send, lane, request, deadlineMs, outcome }
        storeByTries(message, as, first).then(resolve, reject)
      }
      const waiting: Waiting<SendMessageResponse> = {
        resolve(reply) {
          const { code, payload } = reply
          if (payload === undefined) return goOn({ reply })
          ended(message, send)
          resolve(resultOf(topic, uniqueId, { code, payload }))
        },
        reject: (thrown) => goOn({ thrown }),
      }
      const timeoutMs = tryTimeoutMs(connection, deadlineMs)
      connection.ask(sendMessage, inLane(request, lane, send), waiting, { timeoutMs })
    })
  }

  const sendBatch = async <A>(
    topic: Topic<A>,
    messages: readonly BatchMessage<A>[],
    { shardingKey }: BatchOptions = {},
  ): Promise<readonly SendResult[]> => {
    hops.reach('client.send')
    const outgoing = messages.map((own) =>
      encodedMessage(topic, own.body, shardingKey === undefined ? own : { ...own, shardingKey }),
    )
    const [first] = outgoing
    if (first === undefined) return []
    let ids: readonly string[] = []
    const { code, payload } = await taken(sendBatchRequest, first, () => {
      const sends = outgoing.map((_, index) => numbers.next(outgoing.length - index))
      const [send] = sends
      assert(send !== undefined, 'a batch has a first message')
      // All of them end together: the broker takes a batch whole.
      for (const other of sends.slice(1)) numbers.end(other)
      ids = sends.map(({ uniqueId }) => uniqueId)
      return [send, () => batchRequest(topic.name, outgoing, ids)]
    })
    const { msgId, queueId, queueOffset: offset } = payload
    const places = msgId.split(',')
    return ids.map((uniqueId, index) => ({
      status: sendStatus(code),
      topic: topic.name,
      messageId: uniqueId,
      offsetMessageId: places[index] ?? '',
      queueId,
      queueOffset: queueOffset(offset + index),
      transactionId: uniqueId,
    }))
  }

  async function batchRequest(
    topic: string,
    outgoing: readonly OutgoingMessage[],
    ids: readonly string[],
  ): Promise<SendBatchRequest> {
    const messages = outgoing.map((message, index) => {
      const properties = propertiesText(message, ids[index] ?? '')
      return { body: message.body, properties, flag: 0 }
    })
    checkBatch(topic, messages)
    const [first] = outgoing
    assert(first !== undefined, 'a batch has a first message')
    const named = first.shardingKey === undefined ? {} : { shardingKey: first.shardingKey }
    const lead: OutgoingMessage = { topic, body: first.body, ...named }
    const as = { uniqueId: ids[0] ?? '', sysFlag: MessageSysFlag.SEQUENCED }
    const { body: _, ...header } = await routedRequest(lead, as)
    return { ...header, messages }
  }

  const transactions = createTransactions(connection, { ...options, store })

  const send = <A>(topic: Topic<A>, body: A, sendOptions?: SendOptions): Promise<SendResult> => {
    hops.reach('client.send')
    try {
      return store(encodedMessage(topic, body, sendOptions), { isHalf: false })
    } catch (thrown) {
      return Promise.reject(thrown)
    }
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
      const numbered = numbers.next()
      numbers.end(numbered)
      // The same way as any other send, or it would pass those of its key that were made before.
      const makeRequest = (): Promise<SendMessageRequest> =>
        routedRequest(message, { uniqueId: numbered.uniqueId, sysFlag: 0 })
      const deadlineMs = clock.monotonicMs() + sendTimeoutMs
      unrouted += 1
      requestUntilRouted(clock, makeRequest, deadlineMs).then(
        (request) => {
          unrouted -= 1
          connection.oneWay(sendMessage, request)
        },
        (cause: unknown) => {
          unrouted -= 1
          options.onProblem?.({ what: 'a one-way send was dropped', cause })
        },
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

/** What a message is stored as. */
interface Named {
  readonly uniqueId: string
  readonly sysFlag: number
}

interface Prepared {
  readonly properties: string
  readonly queueId: number
}

/** A send that its first try did not end. */
interface Begun<Req> {
  readonly send: NumberedSend
  readonly lane: NumberedSend[] | undefined
  readonly request: Req
  readonly deadlineMs: number
  readonly outcome: TryOutcome
}

function begunAs<Req>({ request, send }: Begun<Req>): readonly [NumberedSend, () => Promise<Req>] {
  return [send, async () => request]
}

const sysFlagOf = (isHalf: boolean): number =>
  isHalf
    ? MessageSysFlag.SEQUENCED | MessageSysFlag.TRANSACTION_PREPARED_TYPE
    : MessageSysFlag.SEQUENCED

function resultOf(topic: string, uniqueId: string, { code, payload }: Taken): SendResult {
  return {
    status: sendStatus(code),
    topic,
    messageId: uniqueId,
    offsetMessageId: payload.msgId,
    queueId: payload.queueId,
    queueOffset: payload.queueOffset,
    transactionId: payload.transactionId ?? uniqueId,
  }
}

function sendStatus(code: number): SendStatus {
  if (code === ResponseCode.FLUSH_DISK_TIMEOUT) return 'FLUSH_DISK_TIMEOUT'
  if (code === ResponseCode.FLUSH_SLAVE_TIMEOUT) return 'FLUSH_SLAVE_TIMEOUT'
  return code === ResponseCode.SLAVE_NOT_AVAILABLE ? 'SLAVE_NOT_AVAILABLE' : 'SEND_OK'
}

/** Throws INVALID_MESSAGE for what the broker would refuse, before it leaves the process. */
function checkBatch(
  topic: string,
  messages: readonly { body: Buffer; properties: string }[],
): void {
  const what = `a batch for ${topic}`
  let bytes = 0
  // Three bytes for a unit of text are more than any takes: mostly nothing has to be counted.
  for (const { body, properties } of messages) bytes += body.length + 3 * properties.length
  if (messages.length > BATCH_MESSAGES_MAX) {
    const reason = `it has ${messages.length} messages, at most ${BATCH_MESSAGES_MAX} are taken`
    throw new ClientError('INVALID_MESSAGE', { what, reason })
  }
  if (bytes <= BODY_BYTES_MAX) return
  bytes = 0
  for (const { body, properties } of messages) bytes += body.length + Buffer.byteLength(properties)
  if (bytes <= BODY_BYTES_MAX) return
  const reason = `it has ${bytes} bytes, at most ${BODY_BYTES_MAX} are taken`
  throw new ClientError('INVALID_MESSAGE', { what, reason })
}
