/**
 * SAGALOG_LIST_STREAMS (20011): the streams of a category in the order of their first events.
 *
 *   request   category, after (how many to pass over), maxStreams
 *   response  body: total u64, streams list of: name text, version u64, a state (stored-event.ts)
 */
import { streamVersion, type StreamVersion } from '@sagalog/kernel'
import { ByteReader } from '../byte-reader.js'
import { ByteWriter } from '../byte-writer.js'
import { count32Field, countField, textField } from '../fields.js'
import { type Encoded, noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { readClosed, type StreamClosed, writeClosed } from '../stored-event.js'

export interface ListStreamsRequest {
  readonly category: string
  /** How many of the oldest streams to pass over. */
  readonly after: number
  readonly maxStreams: number
}

export interface StreamSummary {
  readonly stream: string
  readonly version: StreamVersion
  readonly closed?: StreamClosed
}

export interface ListStreamsResponse {
  /** Streams that the category has. */
  readonly total: number
  readonly streams: readonly StreamSummary[]
}

function encodeResponse({ streams, total }: ListStreamsResponse): Encoded {
  const writer = new ByteWriter()
  writer.u64(total)
  writer.count(streams.length, 'streams')
  for (const { closed, stream, version } of streams) {
    writer.text(stream, 'stream')
    writer.u64(version)
    writeClosed(writer, closed)
  }
  return { fields: noFields, body: writer.finish() }
}

function readSummary(reader: ByteReader): StreamSummary {
  const stream = reader.text('stream')
  const version = streamVersion(reader.u64('version'))
  const closed = readClosed(reader)
  return closed === undefined ? { stream, version } : { stream, version, closed }
}

function decodeResponse({ body }: Encoded): ListStreamsResponse {
  const reader = new ByteReader(body)
  const total = reader.u64('total')
  const streams = reader.list('streams', () => readSummary(reader))
  reader.finish()
  return { total, streams }
}

export const listStreams: RequestCodec<ListStreamsRequest, ListStreamsResponse> = {
  code: RequestCode.SAGALOG_LIST_STREAMS,
  name: 'listStreams',
  encodeRequest(request) {
    const fields = new Map([
      ['category', request.category],
      ['after', String(request.after)],
      ['maxStreams', String(request.maxStreams)],
    ])
    return { fields, body: noBody }
  },
  decodeRequest({ fields }) {
    return {
      category: textField(fields, 'category'),
      after: countField(fields, 'after'),
      maxStreams: count32Field(fields, 'maxStreams'),
    }
  },
  encodeResponse,
  decodeResponse,
}
