/** Messages as users see them, made from stored bytes. */
import type { Position, QueueOffset } from '@sagalog/kernel'
import { decodeProperties, MessageConst } from '@sagalog/protocol'
import { offsetId, type StoredMessage } from '@sagalog/protocol'
import type { Delivery } from './delivery.js'

interface Envelope {
  /** The id that its producer gave it, or its place in the log when it came without. */
  readonly id: string
  readonly topic: string
  readonly queueId: number
  readonly offset: QueueOffset
  /** Where it stands in the log. */
  readonly position: Position
  /** The sharding key. */
  readonly key?: string
  readonly tags?: string
  readonly keys: readonly string[]
  readonly properties: Readonly<Record<string, string>>
  readonly bornAtMs: number
  readonly storedAtMs: number
}

/** A message with the body's bytes as they were sent. */
export interface ReceivedMessage extends Envelope {
  readonly body: Buffer
}

/** A message as a handler gets it. */
export interface Received<A> extends Envelope {
  readonly body: A
  /** Settles the message when handed to `tx.ack`; consumers do it themselves unless 'held'. */
  readonly delivery: Delivery
}

/** Reads a stored message for a user. The body is a view into the stored bytes. */
export function receivedMessage(stored: StoredMessage): ReceivedMessage {
  const properties = decodeProperties(stored.properties)
  const key = properties.get(MessageConst.PROPERTY_SHARDING_KEY)
  const keys = properties.get(MessageConst.PROPERTY_KEYS)?.split(' ') ?? []
  const tags = properties.get(MessageConst.PROPERTY_TAGS)
  const uniqueId = properties.get(MessageConst.PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX)
  return {
    id: uniqueId ?? offsetId(stored.storeHost, stored.physicalOffset),
    topic: stored.topic,
    queueId: stored.queueId,
    offset: stored.queueOffset,
    position: stored.physicalOffset,
    ...(key === undefined ? {} : { key }),
    ...(tags === undefined ? {} : { tags }),
    keys: keys.filter((text) => text.length > 0),
    properties: Object.fromEntries(properties),
    bornAtMs: stored.bornTimestampMs,
    storedAtMs: stored.storeTimestampMs,
    body: stored.body,
  }
}
