/**
 * READ_EVENTS: the events of whole categories in the order of the log. Only what is safe at the
 * broker's durability is given, so the answer leaves at once; an empty one may be held.
 *
 * No gap can be there for a reader to pass over: positions are given out in order by one sequencer,
 * and everything below the watermark has its place in the index already.
 */
import { position, type Position } from '@sagalog/kernel'
import { type ReadEventsRequest, ResponseCode, type StreamEvent } from '@sagalog/protocol'
import { admitCategory, admitNumbers, COUNT, INT32 } from '../admit.js'
import type { Call, Core, Refusal } from '../core.js'
import { countBelow, type PositionList } from '../folds/position-list.js'
import { READ_BYTES_MAX, READ_EVENTS_MAX, READ_SUSPEND_MS_MAX } from '../limits.js'
import { eachRecord } from '../record-reading.js'
import { readEventHead, storedEventOf } from '../records/event-record.js'

export function readEvents(call: Call, request: ReadEventsRequest): void {
  const problem = admitRead(call.core, request)
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  if (tryRead(call, request)) return
  const { heldReads } = call.core
  heldReads.hold({
    categories: request.categories,
    forMs: Math.min(request.suspendMs, READ_SUSPEND_MS_MAX),
    isGrowing: () => hasUnsafe(call.core, request),
    retry: () => tryRead(call, request),
    timeUp: () => void tryRead(call, { ...request, suspendMs: 0 }),
  })
}

function admitRead(core: Core, request: ReadEventsRequest): Refusal | undefined {
  const { categories, from, maxEvents, queueId = 0, suspendMs } = request
  for (const category of categories) {
    const problem = admitCategory(core, category)
    if (problem !== undefined) return problem
  }
  return admitNumbers({ from, maxEvents, suspendMs }, COUNT) ?? admitNumbers({ queueId }, INT32)
}

/** Answers, or says that the read has to wait. */
function tryRead(call: Call, request: ReadEventsRequest): boolean {
  if (!call.session.isOpen) return true
  const { log, settings } = call.core
  const safe = log.watermark(settings.durability)
  const count = Math.min(Math.max(1, request.maxEvents), READ_EVENTS_MAX)
  const found = positionsOf(call.core, request, { safe, count })
  if (found.length === 0 && request.suspendMs > 0) return false
  // With a full page the next one goes on behind its end, else behind all that was safe.
  const last = found.at(-1)
  const next = found.length < count || last === undefined ? safe : position(last + 1)
  give(call, found, next).catch((error: unknown) => {
    call.refuse({ code: ResponseCode.SYSTEM_ERROR, remark: String(error) })
  })
  return true
}

/** The lowest positions from `from` on of the events that are wanted, at most `count`. */
function positionsOf(
  core: Core,
  request: ReadEventsRequest,
  { safe, count }: { safe: Position; count: number },
): Position[] {
  const parts: Position[][] = []
  for (const positions of queuesOf(core, request)) {
    const first = countBelow(positions, request.from)
    const end = Math.min(countBelow(positions, safe), first + count)
    if (end <= first) continue
    parts.push(Array.from({ length: end - first }, (_, index) => positions.at(first + index)))
  }
  const [only = []] = parts
  if (parts.length <= 1) return only
  return parts
    .flat()
    .sort((left, right) => left - right)
    .slice(0, count)
}

/** True when an event that is wanted has its place and is not safe yet. */
function hasUnsafe(core: Core, request: ReadEventsRequest): boolean {
  const safe = core.log.watermark(core.settings.durability)
  for (const positions of queuesOf(core, request)) {
    const { length } = positions
    if (length > 0 && positions.at(length - 1) >= safe) return true
  }
  return false
}

function* queuesOf(core: Core, request: ReadEventsRequest): Iterable<PositionList> {
  const { queues, topics } = core.state
  for (const topic of topics.all()) {
    if (topic.kind !== 'event') continue
    if (request.categories.length > 0 && !request.categories.includes(topic.name)) continue
    for (let queueId = 0; queueId < topic.readQueues; queueId += 1) {
      if (request.queueId !== undefined && request.queueId !== queueId) continue
      const positions = queues.find(topic.name, queueId)?.positions
      if (positions !== undefined) yield positions
    }
  }
}

async function give(call: Call, found: readonly Position[], end: Position): Promise<void> {
  const { log, settings, state } = call.core
  const events: StreamEvent[] = []
  let bytes = 0
  let next = end
  await eachRecord(log, found, {
    read(record): StreamEvent {
      const { category, stream } = readEventHead(record)
      return { category, stream, ...storedEventOf(record) }
    },
    take(event) {
      if (bytes >= READ_BYTES_MAX) {
        next = event.position
        return false
      }
      if (state.streamStates.get(event.category, event.stream)?.state === 'deleted') return true
      bytes += event.data.length
      events.push(event)
      return true
    },
  })
  // For the account of early replies: just behind the start of the newest record that is shown.
  const newest = events.at(-1)?.position
  const shows = newest === undefined ? next : position(newest + 1)
  call.answer({ events, next }, log.watermark(settings.durability), { shows })
}
