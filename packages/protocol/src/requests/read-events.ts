/**
 * SAGALOG_READ_EVENTS (20010): events of all streams of some categories in the order of the log,
 * from a position on. What comes next is asked for from `next`: nothing is given twice and nothing
 * is passed over, whatever is appended meanwhile.
 *
 *   request   body: from u64, maxEvents u32, suspendMs u32, categories list of text (none: all),
 *             has u8 (1 queue), queueId u32?
 *   response  body: next u64, events list of: category text, stream text, a stored event
 *             (stored-event.ts)
 */
import { position, type Position } from '@sagalog/kernel'
import { ByteReader } from '../byte-reader.js'
import { ByteWriter } from '../byte-writer.js'
import { type Encoded, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { readStoredEvent, type StoredEvent, writeStoredEvent } from '../stored-event.js'

export interface ReadEventsRequest {
  /** The event topics; none means all there are. */
  readonly categories: readonly string[]
  /** Only the streams that lie in this queue of each category. */
  readonly queueId?: number
  /** The lowest position wanted: 0, or the `next` of an earlier answer. */
  readonly from: Position
  readonly maxEvents: number
  /** How long the answer may wait for an event when there is none, milliseconds. */
  readonly suspendMs: number
}

export interface StreamEvent extends StoredEvent {
  readonly category: string
  readonly stream: string
}

export interface ReadEventsResponse {
  readonly events: readonly StreamEvent[]
  /** Every event that was asked for and lies below it has been given. */
  readonly next: Position
}

const HAS_QUEUE = 1

function encodeRequest(request: ReadEventsRequest): Encoded {
  const writer = new ByteWriter()
  writer.u64(request.from)
  writer.u32(request.maxEvents)
  writer.u32(request.suspendMs)
  writer.count(request.categories.length, 'categories')
  for (const category of request.categories) writer.text(category, 'category')
  writer.u8(request.queueId === undefined ? 0 : HAS_QUEUE)
  if (request.queueId !== undefined) writer.u32(request.queueId)
  return { fields: noFields, body: writer.finish() }
}

function decodeRequest({ body }: Encoded): ReadEventsRequest {
  const reader = new ByteReader(body)
  const from = position(reader.u64('from'))
  const maxEvents = reader.u32('maxEvents')
  const suspendMs = reader.u32('suspendMs')
  const categories = reader.list('categories', () => reader.text('category'))
  const has = reader.u8('parts')
  if (has > HAS_QUEUE) throw reader.malformed(`parts ${has}, before this`)
  const queueId = has === HAS_QUEUE ? reader.u32('queueId') : undefined
  reader.finish()
  const request = { from, maxEvents, suspendMs, categories }
  return queueId === undefined ? request : { ...request, queueId }
}

function encodeResponse({ events, next }: ReadEventsResponse): Encoded {
  const writer = new ByteWriter()
  writer.u64(next)
  writer.count(events.length, 'events')
  for (const event of events) {
    writer.text(event.category, 'category')
    writer.text(event.stream, 'stream')
    writeStoredEvent(writer, event)
  }
  return { fields: noFields, body: writer.finish() }
}

function decodeResponse({ body }: Encoded): ReadEventsResponse {
  const reader = new ByteReader(body)
  const next = position(reader.u64('next'))
  const events = reader.list('events', (): StreamEvent => {
    const category = reader.text('category')
    const stream = reader.text('stream')
    return { category, stream, ...readStoredEvent(reader) }
  })
  reader.finish()
  return { events, next }
}

export const readEvents: RequestCodec<ReadEventsRequest, ReadEventsResponse> = {
  code: RequestCode.SAGALOG_READ_EVENTS,
  name: 'readEvents',
  encodeRequest,
  decodeRequest,
  encodeResponse,
  decodeResponse,
}
