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
import { lowestOf, type ListPart } from '../folds/merged-lists.js'
import { countBelow, type PositionList } from '../folds/position-list.js'
import { READ_BYTES_MAX, READ_EVENTS_MAX, READ_SUSPEND_MS_MAX } from '../limits.js'
import { eachRecord } from '../record-reading.js'
import { streamEventOf } from '../records/event-record.js'

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
  const found = placesOf(call.core, request, { safe, count })
  if (found.positions.length === 0 && request.suspendMs > 0) return false
  give(call, request, { found, safe, count }).catch((error: unknown) => {
    call.refuse({ code: ResponseCode.SYSTEM_ERROR, remark: String(error) })
  })
  return true
}

interface Bounds {
  readonly safe: Position
  readonly count: number
}

/** Where events stand, and what comes behind them. */
interface Found {
  readonly positions: readonly Position[]
  readonly next: Position
}

function placesOf(core: Core, request: ReadEventsRequest, bounds: Bounds): Found {
  const positions = positionsOf(core, request, bounds)
  // With a full page the next one goes on behind its end, else behind all that was safe.
  const last = positions.at(-1)
  const isCut = positions.length >= bounds.count && last !== undefined
  return { positions, next: isCut ? position(last + 1) : bounds.safe }
}

/** The lowest positions from `from` on of the events that are wanted, at most `count`. */
function positionsOf(core: Core, request: ReadEventsRequest, { safe, count }: Bounds): Position[] {
  const parts: ListPart[] = []
  for (const list of queuesOf(core, request)) {
    const at = countBelow(list, request.from)
    const end = Math.min(countBelow(list, safe), at + count)
    if (at < end) parts.push({ list, at, end })
  }
  return lowestOf(parts, count)
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

async function give(
  call: Call,
  request: ReadEventsRequest,
  { found, ...bounds }: Bounds & { readonly found: Found },
): Promise<void> {
  const { log, settings, state } = call.core
  const events: StreamEvent[] = []
  let bytes = 0
  let { positions, next } = found
  for (;;) {
    await eachRecord(log, positions, (record) => {
      if (bytes >= READ_BYTES_MAX) {
        next = record.position
        return false
      }
      const event = streamEventOf(record)
      if (state.streamStates.get(event.category, event.stream)?.state === 'deleted') return true
      bytes += event.data.length
      events.push(event)
      return true
    })
    // A page without events says that there are no more: those of deleted streams are none.
    if (events.length > 0 || next >= bounds.safe) break
    ;({ positions, next } = placesOf(call.core, { ...request, from: next }, bounds))
  }
  // For the account of early replies: just behind the start of the newest record that is shown.
  const newest = events.at(-1)?.position
  const shows = newest === undefined ? next : position(newest + 1)
  call.answer({ events, next }, log.watermark(settings.durability), { shows })
}
