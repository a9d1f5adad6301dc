/**
 * READ_STREAM: the events of one stream from a version on, in either direction. The head is the
 * sequenced one; the answer leaves once the log is safe up to it.
 */
import { position, type Position, streamVersion, type StreamVersion } from '@sagalog/kernel'
import {
  type ReadStreamRequest,
  type ReadStreamResponse,
  ResponseCode,
  type StoredEvent,
} from '@sagalog/protocol'
import { admitCategory, admitNumbers, COUNT } from '../admit.js'
import type { Call } from '../core.js'
import { countBelow } from '../folds/position-list.js'
import type { ClosedStream } from '../folds/stream-states.js'
import { READ_BYTES_MAX, READ_EVENTS_MAX } from '../limits.js'
import { eachRecord } from '../record-reading.js'
import { storedEventOf } from '../records/event-record.js'

export function readStream(call: Call, request: ReadStreamRequest): void {
  const { asOf = position(0), category, fromVersion, maxEvents } = request
  const problem =
    admitCategory(call.core, category) ?? admitNumbers({ asOf, fromVersion, maxEvents }, COUNT)
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  read(call, request).catch((error: unknown) => {
    call.refuse({ code: ResponseCode.SYSTEM_ERROR, remark: String(error) })
  })
}

async function read(call: Call, request: ReadStreamRequest): Promise<void> {
  const { log, settings, state } = call.core
  const { asOf, category, stream } = request
  const positions = state.streams.positionsOf(category, stream)
  const length = positions?.length ?? 0
  const isThen = asOf !== undefined && positions !== undefined
  const version = streamVersion(isThen ? countBelow(positions, asOf + 1) : length)
  const closed = state.streamStates.get(category, stream)
  const events: StoredEvent[] = []
  let bytes = 0
  const wanted: Position[] = []
  if (positions !== undefined && closed?.state !== 'deleted')
    for (const at of versionsOf(request, version)) wanted.push(positions.at(at - 1))
  await eachRecord(log, wanted, (record) => {
    const event = storedEventOf(record)
    events.push(event)
    bytes += event.data.length
    return bytes < READ_BYTES_MAX
  })
  // The answer tells of this stream only: once its newest event is safe there is nothing to wait
  // for. Else it waits for all that was sequenced until now, reading may have taken a while.
  const safe = log.watermark(settings.durability)
  const head = version === 0 ? undefined : positions?.at(version - 1)
  const isSafe = closed === undefined && (head === undefined || head < safe)
  const answer: ReadStreamResponse = { version, ...closedPart(closed), events }
  call.answer(answer, isSafe ? safe : log.watermark('memory'))
}

/** The versions that are asked for, in the order asked for. */
function* versionsOf(request: ReadStreamRequest, head: StreamVersion): Iterable<number> {
  const count = Math.min(request.maxEvents, READ_EVENTS_MAX)
  if (request.isBackward === true) {
    const first = Math.min(head, request.fromVersion)
    for (let at = first; at >= 1 && at > first - count; at -= 1) yield at
    return
  }
  const first = Math.max(1, request.fromVersion)
  const last = Math.min(head, first + count - 1)
  for (let at = first; at <= last; at += 1) yield at
}

function closedPart(closed: ClosedStream | undefined): Pick<ReadStreamResponse, 'closed'> {
  if (closed === undefined) return {}
  return { closed: { state: closed.state, reason: closed.reason } }
}
