/** Messages as users see them, made from stored bytes. */
import type { Position, QueueOffset } from '@sagalog/kernel'
import { decodeProperties, MessageConst } from '@sagalog/protocol'
import { MessageSysFlag, offsetId, type StoredMessage } from '@sagalog/protocol'
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

/** Reads a stored message for a user. A body that was not packed is a view into the bytes. */
export function receivedMessage(stored: StoredMessage): ReceivedMessage {
  const properties = decodeProperties(stored.properties)
  const key = properties.get(MessageConst.PROPERTY_SHARDING_KEY)
  const keys = properties.get(MessageConst.PROPERTY_KEYS)?.split(' ') ?? []
  const tags = properties.get(MessageConst.PROPERTY_TAGS)
  const uniqueId = properties.get(MessageConst.PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX)
  const message = {
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
  const isPacked = (stored.sysFlag & MessageSysFlag.COMPRESSED_FLAG) !== 0
  return isPacked ? { ...message, ...unpacked(stored) } : message
}
