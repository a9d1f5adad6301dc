/**
 * SAGALOG_READ_STREAM (20003): events of one stream, oldest first.
 *
 *   request   category, stream, fromVersion, maxEvents
 *   response  body: version u64 (the head), events list of: version u64, type text, schema u32,
 *             data bytes, metadata map, position u64, storedAtMs u64
 *
 * Texts, bytes, lists and maps are written as in `commit.ts`.
 */
import { position, streamVersion } from '@sagalog/kernel'
import type { Position, StreamVersion } from '@sagalog/kernel'
import { ByteReader } from '../byte-reader.js'
import { ByteWriter } from '../byte-writer.js'
import { count32Field, streamVersionField, textField } from '../fields.js'
import { type Encoded, noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { readTextMap, writeTextMap } from '../text-map.js'

export interface ReadStreamRequest {
  /** The event topic. */
  readonly category: string
  readonly stream: string
  /** The first version wanted; 0 and 1 both mean the oldest. */
  readonly fromVersion: StreamVersion
  readonly maxEvents: number
}

export interface StoredEvent {
  readonly version: StreamVersion
  readonly type: string
  /** Version of the payload's codec. */
  readonly schema: number
  readonly data: Buffer
  readonly metadata: Readonly<Record<string, string>>
  readonly position: Position
  readonly storedAtMs: number
}

export interface ReadStreamResponse {
  /** The head of the stream, whatever was asked for; 0 when it has no events. */
  readonly version: StreamVersion
  readonly events: readonly StoredEvent[]
}

function encodeResponse(response: ReadStreamResponse): Encoded {
  const writer = new ByteWriter()
  writer.u64(response.version)
  writer.count(response.events.length, 'events')
  for (const event of response.events) {
    writer.u64(event.version)
    writer.text(event.type, 'event type')
    writer.u32(event.schema)
    writer.bytes(event.data, 'event data')
    writeTextMap(writer, event.metadata, 'metadata')
    writer.u64(event.position)
    writer.u64(event.storedAtMs)
  }
  return { fields: noFields, body: writer.finish() }
}

const readEvent = (reader: ByteReader): StoredEvent => ({
  version: streamVersion(reader.u64('version')),
  type: reader.text('event type'),
  schema: reader.u32('event schema'),
  data: reader.bytes('event data'),
  metadata: readTextMap(reader, 'metadata'),
  position: position(reader.u64('position')),
  storedAtMs: reader.u64('storedAtMs'),
})

function decodeResponse({ body }: Encoded): ReadStreamResponse {
  const reader = new ByteReader(body)
  const version = streamVersion(reader.u64('version'))
  const events = reader.list('events', () => readEvent(reader))
  reader.finish()
  return { version, events }
}

export const readStream: RequestCodec<ReadStreamRequest, ReadStreamResponse> = {
  code: RequestCode.SAGALOG_READ_STREAM,
  name: 'readStream',
  encodeRequest(request) {
    const fields = new Map([
      ['category', request.category],
      ['stream', request.stream],
      ['fromVersion', String(request.fromVersion)],
      ['maxEvents', String(request.maxEvents)],
    ])
    return { fields, body: noBody }
  },
  decodeRequest({ fields }): ReadStreamRequest {
    return {
      category: textField(fields, 'category'),
      stream: textField(fields, 'stream'),
      fromVersion: streamVersionField(fields, 'fromVersion'),
      maxEvents: count32Field(fields, 'maxEvents'),
    }
  },
  encodeResponse,
  decodeResponse,
}
