/**
 * A message as it is stored, and as a pull returns it, byte for byte: RocketMQ's record. This
 * module owns the layout and writes it; `stored-fields.ts` reads it. A body that is read is never
 * copied, and its checksum is looked at only when asked.
 * All integers are big-endian; `at` is the index of the record's first byte.
 *
 *   at + 0    total bytes      int32     of the record, with this field
 *        4    magic            int32     DAA320A7, or DAA320AB with a topic above 127 bytes
 *        8    body checksum    int32     CRC-32 of the body & 7FFFFFFF
 *       12    queue id         int32
 *       16    flag             int32     the application's
 *       20    queue offset     int64
 *       28    physical offset  int64     the record's position in the log
 *       36    sysFlag          int32
 *       40    born at          int64     ms
 *       48    born host        8 or 20   20 when sysFlag has 0x10
 *             stored at        int64     ms
 *             store host       8 or 20   20 when sysFlag has 0x20
 *             reconsume times  int32
 *             prepared offset  int64     of the half message
 *             body             int32 length, bytes
 *             topic            int8 (int16 with magic DAA320AB) length, UTF-8
 *             properties       int16 length, UTF-8
 */
import { crc32 } from 'node:zlib'
import { assert } from '@sagalog/kernel'
import type { Position, QueueOffset } from '@sagalog/kernel'
import { HOST_V4_BYTES, HOST_V6_BYTES } from './host.js'
import { PROPERTIES_BYTES_MAX } from './limits.js'
import { MessageSysFlag } from './message-const.js'
import { propertyOf } from './message-properties.js'
import { BORN_HOST_AT, bornHostEnd, checkStoredMessage, FIXED_BYTES } from './stored-fields.js'
import { MESSAGE_MAGIC_CODE, MESSAGE_MAGIC_CODE_V2, readLong } from './stored-fields.js'
import { storedBody, storedBornTimestampMs, storedFlag } from './stored-fields.js'
import { storedPhysicalOffset, storedProperties, storedQueueId } from './stored-fields.js'
import { storedQueueOffset, storedStoreTimestampMs, storedSysFlag } from './stored-fields.js'
import { storedTopic, storedTotalBytes, storeHostEnd } from './stored-fields.js'

const SHORT_TOPIC_BYTES_MAX = 127
const LONG_TOPIC_BYTES_MAX = 0x7fff
const WORD = 0x1_0000_0000
const ADDRESS_BITS = MessageSysFlag.BORNHOST_V6_FLAG | MessageSysFlag.STOREHOSTADDRESS_V6_FLAG

/** What a record holds, except the position, which only its writing fixes. */
export interface MessageToStore {
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: QueueOffset
  readonly flag: number
  /** The bits for IPv6 hosts are set by the encoder. */
  readonly sysFlag: number
  readonly bornTimestampMs: number
  /** Bytes of `host.ts`. */
  readonly bornHost: Buffer
  readonly storeTimestampMs: number
  readonly storeHost: Buffer
  readonly reconsumeTimes: number
  readonly preparedTransactionOffset: number
  /** Text of `message-properties.ts`. */
  readonly properties: string
  readonly body: Buffer
}

/** The bytes that the record of `message` takes. */
export function storedMessageBytes(message: MessageToStore): number {
  const topicBytes = Buffer.byteLength(message.topic, 'utf8')
  return (
    FIXED_BYTES -
    2 * HOST_V4_BYTES +
    message.bornHost.length +
    message.storeHost.length +
    message.body.length +
    topicBytes +
    (topicBytes > SHORT_TOPIC_BYTES_MAX ? 1 : 0) +
    Buffer.byteLength(message.properties, 'utf8')
  )
}

function writeLong(target: Buffer, value: number, at: number): void {
  // The remainder of a negative number would need a carry; only -1 is ever written.
  target.writeInt32BE(Math.floor(value / WORD), at)
  target.writeUInt32BE(value < 0 ? value + WORD : value % WORD, at + 4)
}

/**
 * Writes the record of `message` into `target` from `at` and gives the index after it. `target`
 * must have `storedMessageBytes(message)` of room; `physicalOffset` is the record's own position.
 */
export function encodeStoredMessage(
  message: MessageToStore,
  target: Buffer,
  at: number,
  physicalOffset: number,
): number {
  const { bornHost, storeHost, body, topic, properties } = message
  assert(hasRoom(target.length - at, message), 'the target has room for the record')
  target.writeInt32BE(crc32(body) & 0x7fff_ffff, at + 8)
  target.writeInt32BE(message.queueId, at + 12)
  target.writeInt32BE(message.flag, at + 16)
  writeLong(target, message.queueOffset, at + 20)
  writeLong(target, physicalOffset, at + 28)
  target.writeInt32BE(
    // What a sender says of addresses is not believed: the layout follows from these bits.
    (message.sysFlag & ~ADDRESS_BITS) |
      (bornHost.length === HOST_V6_BYTES ? MessageSysFlag.BORNHOST_V6_FLAG : 0) |
      (storeHost.length === HOST_V6_BYTES ? MessageSysFlag.STOREHOSTADDRESS_V6_FLAG : 0),
    at + 36,
  )
  writeLong(target, message.bornTimestampMs, at + 40)
  let end = putBytes(bornHost, target, at + BORN_HOST_AT)
  writeLong(target, message.storeTimestampMs, end)
  end += 8
  end = putBytes(storeHost, target, end)
  target.writeInt32BE(message.reconsumeTimes, end)
  writeLong(target, message.preparedTransactionOffset, end + 4)
  target.writeInt32BE(body.length, end + 12)
  end += 16
  target.set(body, end)
  end += body.length
  end = writeTopic(topic, target, at, end)
  const propertiesBytes = target.write(properties, end + 2, 'utf8')
  assert(propertiesBytes <= PROPERTIES_BYTES_MAX, 'the properties fit their length field')
  target.writeInt16BE(propertiesBytes, end)
  end += 2 + propertiesBytes
  target.writeInt32BE(end - at, at)
  return end
}

/** Counts bytes only when the texts could be too long: a slab has room for thousands of records. */
function hasRoom(room: number, message: MessageToStore): boolean {
  const { bornHost, storeHost, body, properties, topic } = message
  const units = topic.length + properties.length
  const fixed = FIXED_BYTES + bornHost.length + storeHost.length + body.length
  if (fixed + 3 * units + 1 <= room) return true
  return storedMessageBytes(message) <= room
}

/** A few bytes; a call of the system's copy costs more than they do. */
function putBytes(bytes: Buffer, target: Buffer, at: number): number {
  for (let index = 0; index < bytes.length; index += 1) target[at + index] = bytes[index] ?? 0
  return at + bytes.length
}

/** The magic says how wide the length of the topic is, so both are written here. */
function writeTopic(topic: string, target: Buffer, at: number, start: number): number {
  const bytes = target.write(topic, start + 1, 'utf8')
  if (bytes <= SHORT_TOPIC_BYTES_MAX) {
    target.writeInt32BE(MESSAGE_MAGIC_CODE, at + 4)
    target.writeInt8(bytes, start)
    return start + 1 + bytes
  }
  assert(bytes <= LONG_TOPIC_BYTES_MAX, 'the topic fits its length field')
  target.writeInt32BE(MESSAGE_MAGIC_CODE_V2, at + 4)
  target.writeInt16BE(bytes, start)
  return start + 2 + target.write(topic, start + 2, 'utf8')
}

/** A checked record; every field is read when it is asked for. */
export class StoredMessage {
  readonly source: Buffer
  readonly start: number
  #properties: string | undefined

  constructor(source: Buffer, start: number) {
    this.source = source
    this.start = start
  }

  get totalBytes(): number {
    return storedTotalBytes(this.source, this.start)
  }
  get queueId(): number {
    return storedQueueId(this.source, this.start)
  }
  get flag(): number {
    return storedFlag(this.source, this.start)
  }
  get queueOffset(): QueueOffset {
    return storedQueueOffset(this.source, this.start)
  }
  get physicalOffset(): Position {
    return storedPhysicalOffset(this.source, this.start)
  }
  get sysFlag(): number {
    return storedSysFlag(this.source, this.start)
  }
  get bornTimestampMs(): number {
    return storedBornTimestampMs(this.source, this.start)
  }
  get storeTimestampMs(): number {
    return storedStoreTimestampMs(this.source, this.start)
  }
  /** A view: bytes of `host.ts`. */
  get bornHost(): Buffer {
    return this.source.subarray(this.start + BORN_HOST_AT, bornHostEnd(this.source, this.start))
  }
  get storeHost(): Buffer {
    const { source, start } = this
    return source.subarray(bornHostEnd(source, start) + 8, storeHostEnd(source, start))
  }
  get reconsumeTimes(): number {
    return this.source.readInt32BE(storeHostEnd(this.source, this.start))
  }
  get preparedTransactionOffset(): number {
    return readLong(this.source, storeHostEnd(this.source, this.start) + 4)
  }
  get body(): Buffer {
    return storedBody(this.source, this.start)
  }
  get topic(): string {
    return storedTopic(this.source, this.start)
  }
  /** The text of all properties; taken apart by `message-properties.ts`. */
  get properties(): string {
    this.#properties ??= storedProperties(this.source, this.start)
    return this.#properties
  }
  /** The value of one property. */
  property(name: string): string | undefined {
    return propertyOf(this.properties, name)
  }
}

/** The record at `start`, checked once; MESSAGE_MALFORMED when it is none. */
export function decodeStoredMessage(source: Buffer, start = 0): StoredMessage {
  checkStoredMessage(source, start)
  return new StoredMessage(source, start)
}

/** Views of the records that stand one after the other in the body of a pull. */
export function storedMessagesIn(body: Buffer): Buffer[] {
  const messages: Buffer[] = []
  for (let at = 0; at < body.length;) {
    const end = checkStoredMessage(body, at)
    messages.push(body.subarray(at, end))
    at = end
  }
  return messages
}
