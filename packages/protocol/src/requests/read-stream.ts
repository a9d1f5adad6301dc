/**
 * SAGALOG_READ_STREAM (20003): events of one stream, oldest first, or newest first.
 *
 *   request   category, stream, fromVersion, maxEvents, isBackward (true or absent), asOf (a
 *             position, or absent)
 *   response  body: version u64 (the head), a state (stored-event.ts), events list of a stored
 *             event
 *
 * Texts, bytes, lists and maps are written as in `commit.ts`.
 */
import { streamVersion } from '@sagalog/kernel'
import type { Position, StreamVersion } from '@sagalog/kernel'
import { ByteReader } from '../byte-reader.js'
import { ByteWriter } from '../byte-writer.js'
import { count32Field, flagField, positionField, streamVersionField, textField } from '../fields.js'
import { type Encoded, noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import {
  readClosed,
  readStoredEvent,
  type StoredEvent,
  type StreamClosed,
  writeClosed,
  writeStoredEvent,
} from '../stored-event.js'

export interface ReadStreamRequest {
  /** The event topic. */
  readonly category: string
  readonly stream: string
  /** The first version wanted; 0 and 1 both mean the oldest, one above the head means the head. */
  readonly fromVersion: StreamVersion
  readonly maxEvents: number
  /** From `fromVersion` down to 1. */
  readonly isBackward?: boolean
  /** The stream as it was when the record at this position was its newest. */
  readonly asOf?: Position
}

export interface ReadStreamResponse {
  /** The head of the stream, whatever was asked for; 0 when it has no events. */
  readonly version: StreamVersion
  /** Set when the stream is not open; a deleted one gives no events. */
  readonly closed?: StreamClosed
  readonly events: readonly StoredEvent[]
}

function encodeResponse(response: ReadStreamResponse): Encoded {
  const writer = new ByteWriter()
  writer.u64(response.version)
  writeClosed(writer, response.closed)
  writer.count(response.events.length, 'events')
  for (const event of response.events) writeStoredEvent(writer, event)
  return { fields: noFields, body: writer.finish() }
}

function decodeResponse({ body }: Encoded): ReadStreamResponse {
  const reader = new ByteReader(body)
  const version = streamVersion(reader.u64('version'))
  const closed = readClosed(reader)
  const events = reader.list('events', () => readStoredEvent(reader))
  reader.finish()
  return closed === undefined ? { version, events } : { version, closed, events }
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
    if (request.isBackward === true) fields.set('isBackward', 'true')
    if (request.asOf !== undefined) fields.set('asOf', String(request.asOf))
    return { fields, body: noBody }
  },
  decodeRequest({ fields }): ReadStreamRequest {
    return {
      category: textField(fields, 'category'),
      stream: textField(fields, 'stream'),
      fromVersion: streamVersionField(fields, 'fromVersion'),
      maxEvents: count32Field(fields, 'maxEvents'),
      ...(flagField(fields, 'isBackward') ? { isBackward: true } : {}),
      ...(fields.has('asOf') ? { asOf: positionField(fields, 'asOf') } : {}),
    }
  },
  encodeResponse,
  decodeResponse,
}
