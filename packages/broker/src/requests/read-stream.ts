/**
 * READ_STREAM: the events of one stream from a version on. The head is the sequenced one; the
 * answer leaves once the log is safe up to it.
 */
import { type LogRecord, streamVersion } from '@sagalog/kernel'
import {
  type ReadStreamRequest,
  ResponseCode,
  storedBody,
  type StoredEvent,
  storedStoreTimestampMs,
} from '@sagalog/protocol'
import type { Call } from '../core.js'
import { READ_BYTES_MAX, READ_EVENTS_MAX } from '../limits.js'
import { readEventAttributes, storedMessageStart } from '../records/event-record.js'

export function readStream(call: Call, request: ReadStreamRequest): void {
  const { state } = call.core
  const topic = state.topics.get(request.category)
  if (topic?.kind !== 'event') {
    const remark = `there is no category ${request.category}; make it first`
    call.refuse({ code: ResponseCode.TOPIC_NOT_EXIST, remark })
    return
  }
  read(call, request).catch((error: unknown) => {
    call.refuse({ code: ResponseCode.SYSTEM_ERROR, remark: String(error) })
  })
}

async function read(call: Call, request: ReadStreamRequest): Promise<void> {
  const { log, settings, state } = call.core
  const { category, stream } = request
  const version = state.streams.version(category, stream)
  const first = Math.max(1, request.fromVersion)
  const last = Math.min(version, first + Math.min(request.maxEvents, READ_EVENTS_MAX) - 1)
  const events: StoredEvent[] = []
  let bytes = 0
  for (let at = first; at <= last && bytes < READ_BYTES_MAX; at += 1) {
    const position = state.streams.positionOf(category, stream, streamVersion(at))
    if (position === undefined) break
    const event = eventOf(log.peek(position) ?? (await log.read(position)))
    bytes += event.data.length
    events.push(event)
  }
  // The answer tells of this stream only: once its newest event is safe there is nothing to wait
  // for. Else it waits for all that was sequenced until now, reading may have taken a while.
  const head = state.streams.positionOf(category, stream, version)
  const safe = log.watermark(settings.durability)
  const isSafe = head === undefined || head < safe
  call.answer({ version, events }, isSafe ? safe : log.watermark('memory'))
}

function eventOf(record: LogRecord): StoredEvent {
  const { metadata, schema, type, version } = readEventAttributes(record)
  const at = storedMessageStart(record)
  return {
    version,
    type,
    schema,
    data: Buffer.from(storedBody(record.source, at)),
    metadata,
    position: record.position,
    storedAtMs: storedStoreTimestampMs(record.source, at),
  }
}
