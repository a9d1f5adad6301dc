/**
 * The event store's port in plain memory, for tests and trials without a log. Nothing survives the
 * object. It answers what the broker answers, because both pass the same suite.
 */
import {
  assert,
  type Clock,
  type ExpectedVersion,
  position,
  type StreamVersion,
  streamVersion,
} from '@sagalog/kernel'
import type { StoredEvent } from '@sagalog/protocol'
import { EventStoreError } from './errors.js'
import type { EventStorePort } from './event-store-port.js'

type Streams = Map<string, StoredEvent[]>

/** True when a stream at version `actual` is what an append expects. */
export function meets(expected: ExpectedVersion, actual: StreamVersion): boolean {
  if (expected === 'any') return true
  if (expected === 'empty') return actual === 0
  if (expected === 'exists') return actual > 0
  return actual === expected
}

/** A new, empty store. The clock gives `storedAtMs`; without one it is 0. */
export function inMemoryEvents(clock?: Pick<Clock, 'wallMs'>): EventStorePort {
  const categories = new Map<string, Streams>()
  let events = 0

  function streamsOf(category: string): Streams {
    const streams = categories.get(category)
    if (streams === undefined) throw new EventStoreError('NO_CATEGORY', { category })
    return streams
  }

  return {
    async ensureCategory(category) {
      if (!categories.has(category)) categories.set(category, new Map())
    },
    async readPage({ category, stream, fromVersion, maxEvents }) {
      const stored = streamsOf(category).get(stream) ?? []
      const start = Math.max(0, fromVersion - 1)
      return {
        version: streamVersion(stored.length),
        events: stored.slice(start, start + maxEvents),
      }
    },
    async append({ category, stream, expected, events: drafts }) {
      assert(drafts.length > 0, 'an append has at least one event')
      const streams = streamsOf(category)
      const stored = streams.get(stream) ?? []
      const actual = streamVersion(stored.length)
      if (!meets(expected, actual)) return { conflict: actual }
      for (const { type, schema, data, metadata } of drafts) {
        events += 1
        stored.push({
          version: streamVersion(stored.length + 1),
          type,
          schema,
          data: Buffer.from(data),
          metadata: { ...metadata },
          position: position(events),
          storedAtMs: clock?.wallMs() ?? 0,
        })
      }
      streams.set(stream, stored)
      return { appended: streamVersion(stored.length) }
    },
  }
}
