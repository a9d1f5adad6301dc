/**
 * Reading a stored message where it lies: each field from its place, nothing copied, nothing built.
 * The layout is drawn in `message-stored.ts`. A reader may be used on a checked record only: one
 * that `checkStoredMessage` passed, or that was written here.
 */
import { crc32 } from 'node:zlib'
import { position, queueOffset } from '@sagalog/kernel'
import type { Position, QueueOffset } from '@sagalog/kernel'
import { ProtocolError } from './errors.js'
import { HOST_V4_BYTES, HOST_V6_BYTES } from './host.js'
import { MessageSysFlag } from './message-const.js'

export const MESSAGE_MAGIC_CODE = 0xdaa320a7 | 0
export const MESSAGE_MAGIC_CODE_V2 = 0xdaa320ab | 0

/** Index of the born host in a record. */
export const BORN_HOST_AT = 48
/** What every record has: fixed fields with IPv4 hosts, lengths of body, topic, properties. */
export const FIXED_BYTES = 84 + 4 + 1 + 2
const WORD = 0x1_0000_0000

/** An int64 that a JavaScript number holds. */
export function readLong(source: Buffer, at: number): number {
  return source.readInt32BE(at) * WORD + source.readUInt32BE(at + 4)
}

export const storedTotalBytes = (source: Buffer, at: number): number => source.readInt32BE(at)
export const storedQueueId = (source: Buffer, at: number): number => source.readInt32BE(at + 12)
export const storedFlag = (source: Buffer, at: number): number => source.readInt32BE(at + 16)
export const storedSysFlag = (source: Buffer, at: number): number => source.readInt32BE(at + 36)
export const storedQueueOffset = (source: Buffer, at: number): QueueOffset =>
  queueOffset(readLong(source, at + 20))
export const storedPhysicalOffset = (source: Buffer, at: number): Position =>
  position(readLong(source, at + 28))
export const storedBornTimestampMs = (source: Buffer, at: number): number =>
  readLong(source, at + 40)
export const storedStoreTimestampMs = (source: Buffer, at: number): number =>
  readLong(source, bornHostEnd(source, at))

/** Index after the born host. */
export const bornHostEnd = (source: Buffer, at: number): number =>
  at +
  BORN_HOST_AT +
  ((storedSysFlag(source, at) & MessageSysFlag.BORNHOST_V6_FLAG) === 0
    ? HOST_V4_BYTES
    : HOST_V6_BYTES)

/** Index after the store host. */
export const storeHostEnd = (source: Buffer, at: number): number =>
  bornHostEnd(source, at) +
  8 +
  ((storedSysFlag(source, at) & MessageSysFlag.STOREHOSTADDRESS_V6_FLAG) === 0
    ? HOST_V4_BYTES
    : HOST_V6_BYTES)

/** Index of the body's length field. */
const bodyAt = (source: Buffer, at: number): number => storeHostEnd(source, at) + 12
/** Index of the topic's length field. */
const topicAt = (source: Buffer, at: number): number => {
  const start = bodyAt(source, at)
  return start + 4 + source.readInt32BE(start)
}
/** Index of the properties' length field. */
const propertiesAt = (source: Buffer, at: number): number => {
  const start = topicAt(source, at)
  return source.readInt32BE(at + 4) === MESSAGE_MAGIC_CODE_V2
    ? start + 2 + source.readInt16BE(start)
    : start + 1 + source.readInt8(start)
}

/** A view of the body. */
export function storedBody(source: Buffer, at: number): Buffer {
  const start = bodyAt(source, at)
  return source.subarray(start + 4, start + 4 + source.readInt32BE(start))
}

export function storedTopic(source: Buffer, at: number): string {
  const start = topicAt(source, at)
  const lengthBytes = source.readInt32BE(at + 4) === MESSAGE_MAGIC_CODE_V2 ? 2 : 1
  return source.toString('utf8', start + lengthBytes, propertiesAt(source, at))
}

/** True when the topic's name has these bytes: asked where making a text of it costs too much. */
export function isStoredTopic(source: Buffer, at: number, name: Buffer): boolean {
  const start = topicAt(source, at)
  const lengthBytes = source.readInt32BE(at + 4) === MESSAGE_MAGIC_CODE_V2 ? 2 : 1
  if (propertiesAt(source, at) - start - lengthBytes !== name.length) return false
  for (let index = 0; index < name.length; index += 1)
    if (source[start + lengthBytes + index] !== name[index]) return false
  return true
}

/** The text of all properties. */
export function storedProperties(source: Buffer, at: number): string {
  const start = propertiesAt(source, at)
  return source.toString('utf8', start + 2, start + 2 + source.readInt16BE(start))
}

/** True when the body is what was stored. */
export const storedBodyIsIntact = (source: Buffer, at: number): boolean =>
  (crc32(storedBody(source, at)) & 0x7fff_ffff) === source.readInt32BE(at + 8)

/**
 * Checks that a whole record stands at `at` and that its lengths agree; gives the index after it,
 * or throws MESSAGE_MALFORMED. The field readers may be used on a checked record only.
 */
export function checkStoredMessage(source: Buffer, at: number): number {
  const room = source.length - at
  if (room < FIXED_BYTES) throw malformed('less than a record', at)
  const total = source.readInt32BE(at)
  if (total < FIXED_BYTES || total > room) throw malformed(`a length of ${total}`, at)
  const end = at + total
  const magic = source.readInt32BE(at + 4)
  if (magic !== MESSAGE_MAGIC_CODE && magic !== MESSAGE_MAGIC_CODE_V2)
    throw malformed('no known magic', at + 4)
  if (source.readInt32BE(at + 20) < 0 || source.readInt32BE(at + 20) > 0x1f_ffff)
    throw malformed('a queue offset out of range', at + 20)
  if (source.readInt32BE(at + 28) < 0 || source.readInt32BE(at + 28) > 0x1f_ffff)
    throw malformed('a physical offset out of range', at + 28)
  const body = bodyAt(source, at)
  if (body + 4 > end) throw malformed('a body outside the record', body)
  const bodyBytes = source.readInt32BE(body)
  const topic = body + 4 + bodyBytes
  const lengthBytes = magic === MESSAGE_MAGIC_CODE_V2 ? 2 : 1
  if (bodyBytes < 0 || topic + lengthBytes > end) throw malformed(`a body of ${bodyBytes}`, body)
  const topicBytes = lengthBytes === 2 ? source.readInt16BE(topic) : source.readInt8(topic)
  const properties = topic + lengthBytes + topicBytes
  if (topicBytes < 0 || properties + 2 > end) throw malformed(`a topic of ${topicBytes}`, topic)
  const propertiesBytes = source.readInt16BE(properties)
  if (propertiesBytes < 0 || properties + 2 + propertiesBytes !== end)
    throw malformed(`properties of ${propertiesBytes}`, properties)
  return end
}

function malformed(what: string, at: number): ProtocolError {
  return new ProtocolError('MESSAGE_MALFORMED', { what, at })
}
