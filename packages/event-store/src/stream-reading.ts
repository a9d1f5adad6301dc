/**
 * Reads of one stream: pages put together, bounds and directions. Invariant: what is given is the
 * stream as it stood at one version, without a gap.
 */
import { assert, type StreamVersion, streamVersion } from '@sagalog/kernel'
import type { StreamClosed } from '@sagalog/protocol'
import { EventStoreError } from './errors.js'
import type { EventPosition, EventStorePort, PortEvent } from './event-store-port.js'

export interface ReadOptions {
  /** The version of the first event wanted: the oldest, or the newest when read backward. */
  readonly from?: number
  /** The version of the last event wanted: the newest, or the oldest when read backward. */
  readonly to?: number
  /** 'forward', oldest first, unless told. */
  readonly direction?: 'forward' | 'backward'
  /** At most so many events. */
  readonly limit?: number
  /**
   * The stream as it was: when the event at a position was the newest of all, or before the first
   * of its events that was stored after a time (milliseconds since 1970, the store's wall clock).
   */
  readonly asOf?: EventPosition | { readonly timeMs: number }
}

export interface StreamBytes {
  readonly version: StreamVersion
  readonly closed?: StreamClosed
  readonly events: readonly PortEvent[]
}

const PAGE_EVENTS_MAX = 1_000

const isTime = (asOf: ReadOptions['asOf']): asOf is { readonly timeMs: number } =>
  typeof asOf === 'object' && 'timeMs' in asOf

function checkBounds({ from = 1, limit = 1, to = 1 }: ReadOptions): void {
  for (const version of [from, to])
    assert(Number.isSafeInteger(version) && version >= 1, 'versions are counted from 1')
  assert(Number.isSafeInteger(limit) && limit >= 1, 'a limit is a whole number from 1 up')
}

/** Reads what `options` ask for, page by page. */
export async function readStreamBytes(
  port: EventStorePort,
  where: { readonly category: string; readonly stream: string },
  options: ReadOptions,
): Promise<StreamBytes> {
  checkBounds(options)
  if (isTime(options.asOf)) return await readAsOfTime(port, where, options, options.asOf.timeMs)
  const isBackward = options.direction === 'backward'
  const { asOf, limit = Number.MAX_SAFE_INTEGER } = options
  const end = options.to ?? (isBackward ? 1 : Number.MAX_SAFE_INTEGER)
  const step = isBackward ? -1 : 1
  const events: PortEvent[] = []
  let next = options.from ?? (isBackward ? Number.MAX_SAFE_INTEGER : 1)
  // The first page's head bounds the read; a busy stream could keep a reader for ever.
  let first: StreamBytes | undefined
  for (;;) {
    const left = Math.min(limit - events.length, (end - next) * step + 1)
    if (first !== undefined && left <= 0) break
    const page = await port.readPage({
      ...where,
      fromVersion: streamVersion(next),
      maxEvents: Math.max(1, Math.min(PAGE_EVENTS_MAX, left)),
      ...(isBackward ? { isBackward } : {}),
      ...(asOf === undefined ? {} : { asOf }),
    })
    first ??= page
    if (page.closed?.state === 'deleted') return page
    if (isBackward) next = Math.min(next, first.version)
    if (left > 0) next = take(where, page.events, events, { next, step })
    const isAtEnd = isBackward ? next < 1 : next > first.version
    if (isAtEnd) break
    if (page.events.length === 0) throw broken(where, 'none', next)
  }
  const read = isBackward ? 0 : next - 1
  const version = streamVersion(Math.max(first.version, events.length > 0 ? read : 0))
  return first.closed === undefined
    ? { version, events }
    : { version, closed: first.closed, events }
}

/** Puts a page behind what was read; gives the version that comes next. */
function take(
  where: { readonly category: string; readonly stream: string },
  page: readonly PortEvent[],
  events: PortEvent[],
  { next, step }: { next: number; step: number },
): number {
  let wanted = next
  for (const event of page) {
    if (event.version !== wanted) throw broken(where, event.version, wanted)
    events.push(event)
    wanted += step
  }
  return wanted
}

function broken(
  { category, stream }: { readonly category: string; readonly stream: string },
  found: StreamVersion | 'none',
  wanted: number,
): Error {
  return new EventStoreError('STREAM_BROKEN', { category, stream, found, wanted })
}

/**
 * The wall clock may go back, so times do not ascend: only reading from the first event on tells
 * where the first one after the time stands.
 */
async function readAsOfTime(
  port: EventStorePort,
  where: { readonly category: string; readonly stream: string },
  { direction = 'forward', from, limit = Number.MAX_SAFE_INTEGER, to }: ReadOptions,
  timeMs: number,
): Promise<StreamBytes> {
  const whole = await readStreamBytes(port, where, {})
  const later = whole.events.findIndex(({ storedAtMs }) => storedAtMs > timeMs)
  const then = later === -1 ? whole.events : whole.events.slice(0, later)
  const version = streamVersion(later === -1 ? whole.version : later)
  const [low, high] = direction === 'forward' ? [from, to] : [to, from]
  const wanted = then.slice((low ?? 1) - 1, high ?? then.length)
  const ordered = direction === 'forward' ? wanted : wanted.toReversed()
  return { ...whole, version, events: ordered.slice(0, limit) }
}
