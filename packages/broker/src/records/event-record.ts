/**
 * The event record: binary attributes, then the stored message whose body is the event's data, so
 * that any consumer of the topic gets events in stream order.
 *
 *   u16 attribute bytes (these two included)
 *   number version | number schema | text stream | text type
 *   number pairs | (text key, text value)*
 *   when some metadata are bytes: number blobs | (text key, blob value)*
 *   stored message: topic = category
 *
 * A timer record has the same shape with the attributes `text id | number dueAtMs`.
 */
import {
  assert,
  type LogRecord,
  type Metadata,
  streamVersion,
  type StreamVersion,
} from '@sagalog/kernel'
import {
  storedBody,
  type StoredEvent,
  type StreamEvent,
  storedStoreTimestampMs,
  storedTopic,
} from '@sagalog/protocol'
import { FieldReader, FieldWriter } from './fields.js'

const LENGTH_BYTES = 2
export const ATTRIBUTE_BYTES_MAX = 0xffff

/** Where the stored message starts in a record that holds one. */
export function storedMessageStart(record: LogRecord): number {
  if (record.kind === 'message' || record.kind === 'half') return record.start
  return record.start + record.source.readUInt16BE(record.start)
}

/** Attributes with their length in front. */
export function withLength(attributes: Buffer): Buffer {
  const bytes = attributes.length + LENGTH_BYTES
  assert(bytes <= ATTRIBUTE_BYTES_MAX, 'the attributes were admitted')
  const whole = Buffer.allocUnsafe(bytes)
  whole.writeUInt16BE(bytes, 0)
  attributes.copy(whole, LENGTH_BYTES)
  return whole
}

export const attributesOf = (record: LogRecord): FieldReader =>
  new FieldReader(record.source, record.start + LENGTH_BYTES, storedMessageStart(record))

export interface EventHead {
  readonly category: string
  readonly stream: string
  readonly version: StreamVersion
}

export interface EventAttributes {
  readonly stream: string
  readonly version: StreamVersion
  readonly type: string
  readonly schema: number
  readonly metadata: Metadata
}

export function encodeEventAttributes(event: EventAttributes): Buffer {
  const fields = new FieldWriter().number(event.version).number(event.schema)
  fields.text(event.stream).text(event.type)
  const pairs = Object.entries(event.metadata)
  let texts = 0
  for (const [, value] of pairs) if (typeof value === 'string') texts += 1
  fields.number(texts)
  for (const [key, value] of pairs) if (typeof value === 'string') fields.text(key).text(value)
  if (texts < pairs.length) {
    fields.number(pairs.length - texts)
    for (const [key, value] of pairs) if (typeof value !== 'string') fields.text(key).blob(value)
  }
  return withLength(fields.done())
}

/** Only what the index of streams needs. */
export function readEventHead(record: LogRecord): EventHead {
  const fields = attributesOf(record)
  const version = streamVersion(fields.number())
  fields.number()
  const stream = fields.text()
  return { category: storedTopic(record.source, storedMessageStart(record)), stream, version }
}

export function readEventAttributes(record: LogRecord): EventAttributes {
  const fields = attributesOf(record)
  const version = streamVersion(fields.number())
  const schema = fields.number()
  const stream = fields.text()
  const type = fields.text()
  return { stream, version, type, schema, metadata: readMetadata(fields) }
}

/** Of all events without any; nobody can change it. */
const NO_METADATA: Metadata = Object.freeze({})

function readMetadata(fields: FieldReader): Metadata {
  let left = fields.number()
  if (left === 0 && !fields.hasMore) return NO_METADATA
  const metadata: Record<string, string | Buffer> = {}
  const put = (key: string, value: string | Buffer): void => {
    if (key !== '__proto__') metadata[key] = value
    else Object.defineProperty(metadata, key, { value, enumerable: true })
  }
  for (; left > 0; left -= 1) put(fields.text(), fields.text())
  for (left = fields.hasMore ? fields.number() : 0; left > 0; left -= 1)
    put(fields.text(), fields.blob())
  return metadata
}

/** The event as a reader of its stream gets it; its bytes are copies. */
export function storedEventOf(record: LogRecord): StoredEvent {
  const { position, source } = record
  const fields = attributesOf(record)
  const version = streamVersion(fields.number())
  const schema = fields.number()
  fields.skipText()
  const type = fields.text()
  const metadata = readMetadata(fields)
  const at = storedMessageStart(record)
  const data = Buffer.from(storedBody(source, at))
  const storedAtMs = storedStoreTimestampMs(source, at)
  return { version, type, schema, data, metadata, position, storedAtMs }
}

/** The event as a reader of many streams gets it; its bytes are copies. */
export function streamEventOf(record: LogRecord): StreamEvent {
  const { position, source } = record
  const { metadata, schema, stream, type, version } = readEventAttributes(record)
  const at = storedMessageStart(record)
  const category = storedTopic(source, at)
  const data = Buffer.from(storedBody(source, at))
  const storedAtMs = storedStoreTimestampMs(source, at)
  return { category, stream, version, type, schema, data, metadata, position, storedAtMs }
}
