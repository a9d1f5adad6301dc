/**
 * Following events as they are appended: what is there, then what comes, with no gap between the
 * two, because both are the same question: what lies behind this place? A store that can't be
 * reached is asked again later; only `signal` ends a feed, or a failure that will not pass.
 */
import { type Clock, sleep, streamVersion } from '@sagalog/kernel'
import { EventStoreError } from './errors.js'
import type {
  EventPosition,
  EventsPage,
  EventsRequest,
  EventStorePort,
  PlacedEvent,
} from './event-store-port.js'

export interface FeedOptions {
  readonly signal: AbortSignal
  readonly clock: Pick<Clock, 'after'>
  /** How long one question waits for an event, milliseconds; 10,000 unless told. */
  readonly waitMs?: number
  /** Events of one page; 1,000 unless told. */
  readonly pageEvents?: number
  /** Told of failures that pass, for a log. */
  readonly onProblem?: (what: string, cause: unknown) => void
}

export interface FeedWanted {
  /** None means all. */
  readonly categories: readonly string[]
  readonly queueId?: number
  readonly from: EventPosition
}

const WAIT_MS = 10_000
const PAGE_EVENTS = 1_000
const RETRY_MS = 200

const aborted = Symbol('aborted')

/** The page, or that nobody wants it any more. */
function unlessAborted<A>(work: Promise<A>, signal: AbortSignal): Promise<A | typeof aborted> {
  return new Promise((resolve, reject) => {
    const abort = (): void => resolve(aborted)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** Asks until there is an answer; undefined once it was aborted. */
async function asked<A>(
  ask: () => Promise<A>,
  { clock, onProblem, signal }: FeedOptions,
): Promise<A | undefined> {
  while (!signal.aborted) {
    try {
      const answer = await unlessAborted(ask(), signal)
      return answer === aborted ? undefined : answer
    } catch (cause) {
      // Reading changes nothing, so whatever may pass is asked again.
      if (!EventStoreError.is(cause) || cause.retry === 'never') throw cause
      if (cause.code === 'CLOSED') throw cause
      onProblem?.('events could not be read', cause)
      await unlessAborted(sleep(clock, RETRY_MS), signal)
    }
  }
  return undefined
}

/** Pages of events from a place on; a page without events tells how far nothing is. */
export async function* followEvents(
  port: EventStorePort,
  { from, ...wanted }: FeedWanted,
  options: FeedOptions,
): AsyncGenerator<EventsPage, void> {
  const { pageEvents: maxEvents = PAGE_EVENTS, waitMs = WAIT_MS } = options
  const ask = (place: EventPosition, forMs: number): Promise<EventsPage | undefined> => {
    const request: EventsRequest = { ...wanted, from: place, maxEvents, waitMs: forMs }
    return asked(() => port.readEvents(request), options)
  }
  let reading = ask(from, 0)
  for (;;) {
    const page = await reading
    if (page === undefined) return
    const { events, next } = page
    // Behind a page with events it is asked at once, and while that page is worked through: an
    // empty page tells that this was all there is, and whoever is told of it may end the feed.
    if (events.length > 0) {
      reading = ask(next, 0)
      // Told when it is asked for, if it ever is.
      reading.catch(() => undefined)
    }
    yield page
    if (events.length === 0) reading = ask(next, waitMs)
  }
}

/** Pages of events of one stream from a version on. */
export async function* followStream(
  port: EventStorePort,
  { category, from, stream }: { category: string; stream: string; from: number },
  options: FeedOptions,
): AsyncGenerator<readonly PlacedEvent[], void> {
  const { pageEvents: maxEvents = PAGE_EVENTS, waitMs = WAIT_MS } = options
  // Taken before the first read: what comes behind it wakes the reader.
  let seen = await asked(() => port.end(), options)
  let version = from
  while (seen !== undefined) {
    const request = { category, stream, fromVersion: streamVersion(version), maxEvents }
    const page = await asked(() => port.readPage(request), options)
    if (page === undefined) return
    version += page.events.length
    if (page.events.length > 0) {
      yield page.events.map((event) => ({ ...event, category, stream }))
      continue
    }
    const wanted = { categories: [category], from: seen, maxEvents, waitMs }
    seen = (await asked(() => port.readEvents(wanted), options))?.next
  }
}
