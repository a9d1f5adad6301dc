/**
 * The port behind which a store of streams stands: bytes in, bytes out, versions checked. The typed
 * event store is written over it once; the broker, memory and any other backend pass one suite.
 * Invariant: versions of a stream are dense from 1, a change is taken whole or not at all, and an
 * append with an expected version is linearizable.
 */
import { assert, type StreamAppend, type StreamClosing, type StreamVersion } from '@sagalog/kernel'
import type { StoredEvent, StreamClosed, StreamSummary } from '@sagalog/protocol'
import { EventStoreError } from './errors.js'

declare const opaque: unique symbol
/**
 * A place in the order of all events, as its store writes it: a number or a text that may be kept
 * as JSON and is given back to the same store. There is no arithmetic on it; `comparePositions`
 * tells which comes first.
 */
export interface EventPosition {
  readonly [opaque]: 'EventPosition'
}

/** An event as it is stored. */
export interface PortEvent extends Omit<StoredEvent, 'position'> {
  readonly position: EventPosition
}

export interface PageRequest {
  readonly category: string
  readonly stream: string
  /** The version of the first event wanted; 1 is the oldest, one above the head means the head. */
  readonly fromVersion: StreamVersion
  readonly maxEvents: number
  /** From `fromVersion` down to 1. */
  readonly isBackward?: boolean
  /** The stream as it was when the event at this position was its newest. */
  readonly asOf?: EventPosition
}

export interface StreamPage {
  /** The version of the newest event in the stream, 0 when it has none. */
  readonly version: StreamVersion
  /** Set when the stream is not open; a deleted one gives no events. */
  readonly closed?: StreamClosed
  /**
   * In order; fewer than wanted when a bound of the backend cut the page, but never none before the
   * head.
   */
  readonly events: readonly PortEvent[]
}

export interface EventsRequest {
  /** The categories wanted; none means all there are. */
  readonly categories: readonly string[]
  /** Only the streams of one part, where a category is parted over several readers. */
  readonly queueId?: number
  /** The `start` of the port, or the `next` of an earlier page. */
  readonly from: EventPosition
  readonly maxEvents: number
  /** How long to wait for an event when there is none, milliseconds. */
  readonly waitMs: number
}

export interface PlacedEvent extends PortEvent {
  readonly category: string
  readonly stream: string
}

export interface EventsPage {
  /** In the order of all events; none only when there are no more. */
  readonly events: readonly PlacedEvent[]
  /** Whatever was asked for and comes before it has been given. */
  readonly next: EventPosition
}

/** Appends and closings that happen together or not at all. */
export interface StreamsChange {
  readonly appends: readonly StreamAppend[]
  readonly closings?: readonly StreamClosing[]
  /**
   * Of all changes under one key only the first is applied; later ones are answered as it was,
   * whatever they hold.
   */
  readonly key?: string
}

export type ChangeResult =
  | {
      /**
       * The new version of each stream, in the order of `appends`; of a repeat those that the first
       * change gave, however many it had.
       */
      readonly versions: readonly StreamVersion[]
      /** Whoever has read up to here, `next` being behind it, has seen all of the change. */
      readonly position: EventPosition
      /** True when a change under the same key was applied before. */
      readonly isRepeat: boolean
    }
  | { readonly conflict: StreamVersion; readonly category: string; readonly stream: string }

/**
 * `appended` is the stream's new version; `conflict` the version it had instead of the expected
 * one.
 */
export type AppendResult =
  | {
      readonly appended: StreamVersion
      /** Whoever has read up to here has seen the append. */
      readonly position: EventPosition
      /** True when an append with the same key was made before: this is what it gave. */
      readonly isRepeat: boolean
    }
  | { readonly conflict: StreamVersion }

export interface StreamsPage {
  readonly total: number
  readonly streams: readonly StreamSummary[]
}

/** Failures reject with an EventStoreError. */
export interface EventStorePort {
  /** Before all events. */
  readonly start: EventPosition
  /** Below 0 when `left` comes before `right`, 0 when they are the same place. */
  comparePositions(left: EventPosition, right: EventPosition): number
  /** Makes the category when it is not there; its number of queues is fixed by the first call. */
  ensureCategory(category: string, options: { readonly queues: number }): Promise<void>
  /** The number of queues that the streams of a category are parted over. */
  queuesOf(category: string): Promise<number>
  readPage(request: PageRequest): Promise<StreamPage>
  readEvents(request: EventsRequest): Promise<EventsPage>
  /** Behind all events that are there now. */
  end(): Promise<EventPosition>
  /** The streams of a category in the order of their first events. */
  listStreams(request: {
    readonly category: string
    /** How many to pass over. */
    readonly after: number
    readonly maxStreams: number
  }): Promise<StreamsPage>
  /** Rejects with STREAM_CLOSED when a stream takes no change any more. */
  change(change: StreamsChange): Promise<ChangeResult>
  /** A change of one append. */
  append(append: StreamAppend, options?: { readonly key?: string }): Promise<AppendResult>
}

/** The result of a change of one append. */
export function appendResultOf(result: ChangeResult): AppendResult {
  if ('conflict' in result) return { conflict: result.conflict }
  const { isRepeat, position, versions } = result
  const [appended] = versions
  assert(appended !== undefined, 'a change of one append reports a version')
  return { appended, position, isRepeat }
}

/**
 * The result with one version for each of the caller's `appends`, which came first in the change.
 * Throws REFUSED for a repeat of a change that had fewer: it says nothing of the others.
 */
export function resultForAll(
  appends: readonly Pick<StreamAppend, 'category' | 'stream'>[],
  result: ChangeResult,
): ChangeResult {
  if ('conflict' in result || result.versions.length === appends.length) return result
  const { versions } = result
  const beyond = appends[versions.length]
  if (beyond === undefined) return { ...result, versions: versions.slice(0, appends.length) }
  const { category, stream } = beyond
  const reason = `its key belongs to a change of ${versions.length} appends, not ${appends.length}`
  throw new EventStoreError('REFUSED', { operation: 'change', category, stream, reason })
}
