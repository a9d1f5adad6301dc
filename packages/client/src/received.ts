/** Messages as users see them, made from stored bytes. */
import type { Position, QueueOffset } from '@sagalog/kernel'
import { MessageConst, MessageSysFlag, offsetId, propertyRecord } from '@sagalog/protocol'
import type { StoredMessage } from '@sagalog/protocol'
import { inflateSync } from 'node:zlib'
import type { Delivery } from './delivery.js'
import { INFLATED_BYTES_MAX } from './limits.js'

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

/** A message with the body's bytes as its producer gave them. */
export interface ReceivedMessage extends Envelope {
  readonly body: Buffer
  /** Why the body could not be unpacked, and is as it was stored. */
  readonly unpackable?: string
}

/** A message as a handler gets it. */
export interface Received<A> extends Envelope {
  readonly body: A
  /** Settles the message when handed to `tx.ack`; consumers do it themselves unless 'held'. */
  readonly delivery: Delivery
}

/** How RocketMQ's producers pack long bodies, by the bits of the sysFlag; zlib is their default. */
const PACKED_BY = ['zlib', 'LZ4', 'ZSTD', 'zlib'] as const

function unpacked({ body, sysFlag }: StoredMessage): Pick<ReceivedMessage, 'body' | 'unpackable'> {
  const packedBy = PACKED_BY[(sysFlag >> 8) & 7] ?? 'something unknown'
  if (packedBy !== 'zlib')
    return { body, unpackable: `its body is packed by ${packedBy}, which is not read here` }
  try {
    return { body: inflateSync(body, { maxOutputLength: INFLATED_BYTES_MAX }) }
  } catch (cause) {
    return { body, unpackable: `its body can't be inflated: ${String(cause)}` }
  }
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

const NO_KEYS: readonly string[] = Object.freeze([])

/** Reads a stored message for a user. A body that was not packed is a view into the bytes. */
export function receivedMessage(stored: StoredMessage): ReceivedMessage {
  const properties = propertyRecord(stored.properties)
  const key = properties[MessageConst.PROPERTY_SHARDING_KEY]
  const keys = properties[MessageConst.PROPERTY_KEYS]
  const tags = properties[MessageConst.PROPERTY_TAGS]
  const position = stored.physicalOffset
  const message: Writable<ReceivedMessage> = {
    id:
      properties[MessageConst.PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX] ??
      offsetId(stored.storeHost, position),
    topic: stored.topic,
    queueId: stored.queueId,
    offset: stored.queueOffset,
    position,
    keys: keys === undefined ? NO_KEYS : keys.split(' ').filter((text) => text.length > 0),
    properties,
    bornAtMs: stored.bornTimestampMs,
    storedAtMs: stored.storeTimestampMs,
    body: stored.body,
  }
  if (key !== undefined) message.key = key
  if (tags !== undefined) message.tags = tags
  const isPacked = (stored.sysFlag & MessageSysFlag.COMPRESSED_FLAG) !== 0
  return isPacked ? { ...message, ...unpacked(stored) } : message
}
