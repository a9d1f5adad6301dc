/**
 * One message for an operator: by its place in the log or in a queue, by the id that says where it
 * is stored, or by the id that its producer gave it. The broker has no index of the latter: the
 * topic is read from its begin.
 */
import { position, queueOffset } from '@sagalog/kernel'
import {
  decodeStoredMessage,
  hostInOffsetId,
  offsetId,
  positionInOffsetId,
  pullMessage,
  type PullMessageResponse,
  ResponseCode,
  topicRoute,
  viewMessage,
} from '@sagalog/protocol'
import { type Connection, rejectedBy } from './connection.js'
import { PULL_BYTES_MAX, SEARCHED_AT_ONCE } from './limits.js'
import { type ReceivedMessage, receivedMessage } from './received.js'

export type MessagePlace =
  | { readonly position: number }
  | { readonly topic: string; readonly queueId: number; readonly offset: number }
  /** Either id of a send; by that of its producer only with the topic. */
  | { readonly id: string; readonly topic?: string }

/** In whose name it is read: a group without a place. */
const READER = 'sagalog-admin'

/**
 * Undefined when there is none, or not yet: what waits to be delivered later or to be decided has
 * no place in a queue. Rejects with ClientError; REJECTED for a topic that is not there.
 */
export async function findMessage(
  connection: Connection,
  place: MessagePlace,
): Promise<ReceivedMessage | undefined> {
  if ('position' in place) return (await viewed(connection, place.position))?.message
  if ('offset' in place) {
    const { messages } = await pull(connection, place, 1)
    const [message] = messages.map(read)
    return message?.offset === place.offset ? message : undefined
  }
  const { id, topic } = place
  const at = positionInOffsetId(id)
  const found = at === undefined ? undefined : await viewed(connection, at, hostInOffsetId(id))
  if (found !== undefined && found.offsetId === id.toUpperCase()) return found.message
  return topic === undefined ? undefined : await searched(connection, topic, id)
}

const read = (bytes: Buffer): ReceivedMessage => receivedMessage(decodeStoredMessage(bytes, 0))

async function viewed(
  connection: Connection,
  at: number,
  storeHost?: string,
): Promise<{ readonly message: ReceivedMessage; readonly offsetId: string } | undefined> {
  const host = storeHost === undefined ? {} : { storeHost }
  const reply = await connection.request(viewMessage, { position: position(at), ...host })
  // What the broker says, as RocketMQ's does, when no message stands there.
  if (reply.code === ResponseCode.SYSTEM_ERROR) return undefined
  if (reply.payload === undefined) throw rejectedBy(viewMessage.name, reply)
  const stored = decodeStoredMessage(reply.payload.message, 0)
  return {
    message: receivedMessage(stored),
    offsetId: offsetId(stored.storeHost, stored.physicalOffset),
  }
}

async function pull(
  connection: Connection,
  at: { readonly topic: string; readonly queueId: number; readonly offset: number },
  maxMessages: number,
): Promise<PullMessageResponse> {
  const reply = await connection.request(pullMessage, {
    consumerGroup: READER,
    topic: at.topic,
    queueId: at.queueId,
    queueOffset: queueOffset(at.offset),
    maxMessages,
    maxBytes: PULL_BYTES_MAX,
    suspendMs: 0,
    subscription: '*',
  })
  if (reply.payload === undefined) throw rejectedBy(pullMessage.name, reply)
  return reply.payload
}

async function searched(
  connection: Connection,
  topic: string,
  id: string,
): Promise<ReceivedMessage | undefined> {
  const { readQueues } = await connection.call(topicRoute, { topic })
  for (let queueId = 0; queueId < readQueues; queueId += 1) {
    let offset = 0
    for (;;) {
      const page = await pull(connection, { topic, queueId, offset }, SEARCHED_AT_ONCE)
      const found = page.messages.map(read).find((message) => message.id === id)
      if (found !== undefined) return found
      if (page.messages.length === 0 || page.nextBeginOffset <= offset) break
      offset = page.nextBeginOffset
    }
  }
  return undefined
}
