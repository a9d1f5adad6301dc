/**
 * The event store's port in plain memory, for tests and trials without a log. Nothing survives the
 * object. It answers what the broker answers, because both pass the same suite.
 */
import {
  assert,
  type Clock,
  type ExpectedVersion,
  type StreamAppend,
  type StreamClosing,
  type StreamVersion,
  streamVersion,
} from '@sagalog/kernel'
import { queueForKey, type StreamClosed } from '@sagalog/protocol'
import { EventStoreError } from './errors.js'
import {
  appendResultOf,
  type ChangeResult,
  type EventPosition,
  type EventsPage,
  type EventsRequest,
  type EventStorePort,
  type PlacedEvent,
  type StreamPage,
  type StreamsChange,
} from './event-store-port.js'

interface Stream {
  readonly events: PlacedEvent[]
  closed?: StreamClosed
}

interface Category {
  readonly queues: number
  readonly streams: Map<string, Stream>
}

/** True when a stream at version `actual` is what an append expects. */
export function meets(expected: ExpectedVersion, actual: StreamVersion): boolean {
  if (expected === 'any') return true
  if (expected === 'empty') return actual === 0
  if (expected === 'exists') return actual > 0
  return actual === expected
}

/** Here a position is the number of the event, from 1. */
const positionOf = (number: number): EventPosition => number as unknown as EventPosition
const numberOf = (position: EventPosition): number => position as unknown as number

const heldBytes = (value: string | Buffer): string | Buffer =>
  typeof value === 'string' ? value : Buffer.from(value)

/** A new, empty store. The clock gives `storedAtMs` and ends waits; without one it is 0. */
export function inMemoryEvents(clock?: Pick<Clock, 'wallMs' | 'after'>): EventStorePort {
  return new MemoryEvents(clock)
}

class MemoryEvents implements EventStorePort {
  readonly start = positionOf(1)
  readonly #clock: Pick<Clock, 'wallMs' | 'after'> | undefined
  readonly #categories = new Map<string, Category>()
  readonly #all: PlacedEvent[] = []
  readonly #results = new Map<string, ChangeResult>()
  readonly #waiting = new Set<() => void>()

  constructor(clock: Pick<Clock, 'wallMs' | 'after'> | undefined) {
    this.#clock = clock
  }

  comparePositions(left: EventPosition, right: EventPosition): number {
    return numberOf(left) - numberOf(right)
  }

  async ensureCategory(category: string, { queues }: { queues: number }): Promise<void> {
    if (!this.#categories.has(category))
      this.#categories.set(category, { queues, streams: new Map() })
  }

  async queuesOf(category: string): Promise<number> {
    return this.#category(category).queues
  }

  async readPage({
    asOf,
    category,
    fromVersion,
    isBackward = false,
    maxEvents,
    stream,
  }: Parameters<EventStorePort['readPage']>[0]): Promise<StreamPage> {
    const found = this.#category(category).streams.get(stream)
    const all = found?.events ?? []
    const until = asOf === undefined ? Number.MAX_SAFE_INTEGER : numberOf(asOf)
    const stored = all.filter(({ position }) => numberOf(position) <= until)
    const version = streamVersion(stored.length)
    const closed = found?.closed === undefined ? {} : { closed: found.closed }
    if (found?.closed?.state === 'deleted') return { version, ...closed, events: [] }
    if (isBackward) {
      const end = Math.min(stored.length, fromVersion)
      const part = stored.slice(Math.max(0, end - maxEvents), end).reverse()
      return { version, ...closed, events: part }
    }
    const start = Math.max(0, fromVersion - 1)
    return { version, ...closed, events: stored.slice(start, start + maxEvents) }
  }

  async readEvents(request: EventsRequest): Promise<EventsPage> {
    for (const category of request.categories) this.#category(category)
    const page = this.#page(request)
    if (page.events.length > 0 || request.waitMs <= 0) return page
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        cancel()
        this.#waiting.delete(wake)
        resolve()
      }
      const cancel = this.#clock?.after(request.waitMs, wake) ?? (() => undefined)
      this.#waiting.add(wake)
    })
    return this.#page(request)
  }

  async end(): Promise<EventPosition> {
    return positionOf(this.#all.length + 1)
  }

  async listStreams({
    after,
    category,
    maxStreams,
  }: Parameters<EventStorePort['listStreams']>[0]): ReturnType<EventStorePort['listStreams']> {
    const { streams } = this.#category(category)
    const page = [...streams].slice(after, after + maxStreams)
    return {
      total: streams.size,
      streams: page.map(([stream, { closed, events }]) => {
        const summary = { stream, version: streamVersion(events.length) }
        return closed === undefined ? summary : { ...summary, closed }
      }),
    }
  }

  async change(change: StreamsChange): Promise<ChangeResult> {
    const { appends, closings = [], key } = change
    const before = key === undefined ? undefined : this.#results.get(key)
    if (before !== undefined && 'versions' in before) return { ...before, isRepeat: true }
    const problem = this.#conflict(appends, closings)
    if (problem !== undefined) return problem
    const versions = appends.map((append) => this.#append(append))
    for (const { category, reason, state, stream } of closings) {
      const target = this.#stream(category, stream)
      if (state === 'open') delete target.closed
      else target.closed = { state, reason }
    }
    const result = { versions, position: positionOf(this.#all.length), isRepeat: false }
    if (key !== undefined) this.#results.set(key, result)
    for (const wake of this.#waiting) wake()
    return result
  }

  async append(append: StreamAppend, { key }: { key?: string } = {}) {
    assert(append.events.length > 0, 'an append has at least one event')
    const change = { appends: [append] }
    return appendResultOf(await this.change(key === undefined ? change : { ...change, key }))
  }

  #page({ categories, from, maxEvents, queueId }: EventsRequest): EventsPage {
    const first = numberOf(from) - 1
    const wanted = (event: PlacedEvent): boolean =>
      (categories.length === 0 || categories.includes(event.category)) &&
      (queueId === undefined ||
        queueForKey(event.stream, this.#category(event.category).queues) === queueId) &&
      this.#category(event.category).streams.get(event.stream)?.closed?.state !== 'deleted'
    const events: PlacedEvent[] = []
    for (let index = first; index < this.#all.length; index += 1) {
      const event = this.#all[index]
      if (event === undefined || !wanted(event)) continue
      if (events.length === maxEvents) return { events, next: event.position }
      events.push(event)
    }
    return { events, next: positionOf(this.#all.length + 1) }
  }

  /** The first stream that is not as expected; throws STREAM_CLOSED for one that takes nothing. */
  #conflict(
    appends: readonly StreamAppend[],
    closings: readonly StreamClosing[],
  ): ChangeResult | undefined {
    const heads = new Map<string, number>()
    for (const change of [...appends, ...closings]) {
      const { category, expected, stream } = change
      const found = this.#category(category).streams.get(stream)
      const isClosing = 'state' in change
      if (found?.closed !== undefined && !(isClosing && found.closed.state === 'archived')) {
        const { reason, state: closed } = found.closed
        throw new EventStoreError('STREAM_CLOSED', { category, stream, closed, reason })
      }
      const name = `${category}/${stream}`
      const actual = heads.get(name) ?? found?.events.length ?? 0
      if (!meets(expected, streamVersion(actual)))
        return { conflict: streamVersion(actual), category, stream }
      if (!isClosing) heads.set(name, actual + change.events.length)
    }
    return undefined
  }

  #append({ category, events, stream }: StreamAppend): StreamVersion {
    const stored = this.#stream(category, stream).events
    for (const { data, metadata, schema, type } of events) {
      const event: PlacedEvent = {
        category,
        stream,
        version: streamVersion(stored.length + 1),
        type,
        schema,
        data: Buffer.from(data),
        metadata: Object.fromEntries(
          Object.entries(metadata ?? {}).map(([name, value]) => [name, heldBytes(value)]),
        ),
        position: positionOf(this.#all.length + 1),
        storedAtMs: this.#clock?.wallMs() ?? 0,
      }
      stored.push(event)
      this.#all.push(event)
    }
    return streamVersion(stored.length)
  }

  #category(category: string): Category {
    const found = this.#categories.get(category)
    if (found === undefined) throw new EventStoreError('NO_CATEGORY', { category })
    return found
  }

  #stream(category: string, stream: string): Stream {
    const { streams } = this.#category(category)
    const found = streams.get(stream) ?? { events: [] }
    streams.set(stream, found)
    return found
  }
}
