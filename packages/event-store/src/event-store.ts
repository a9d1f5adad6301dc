/**
 * The typed face of a store of streams: events of a set go in and come out. It pages through long
 * streams and decodes; bytes, versions and the wire belong to the port below it. Invariant: what
 * `read` returns is the stream as it stood at one version, without a gap.
 */
import type { Connection } from '@sagalog/client'
import {
  assert,
  type ExpectedVersion,
  type Position,
  type StreamVersion,
  streamVersion,
} from '@sagalog/kernel'
import type { StoredEvent } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { type BrokerEventsOptions, brokerEvents } from './broker-events.js'
import { EventStoreError } from './errors.js'
import type { AnyEvent, EventSet, Undecodable } from './event-set.js'
import type { AppendResult, EventStorePort, StreamPage } from './event-store-port.js'
import { checkStreamName } from './stream-name.js'
import { asTaskEither } from './task-either.js'

/** An event with what the store knows about it. */
export interface RecordedEvent<Event extends AnyEvent> {
  readonly event: Event
  readonly version: StreamVersion
  readonly metadata: Readonly<Record<string, string>>
  /** Its place in the global order. */
  readonly position: Position
  /** Milliseconds since 1970, by the store's wall clock. */
  readonly storedAtMs: number
}

export interface StreamRead<Event extends AnyEvent> {
  readonly events: readonly Event[]
  /** The same events with their versions, metadata and places. */
  readonly records: readonly RecordedEvent<Event>[]
  /** The stream's version as of this read, 0 when it is empty. */
  readonly version: StreamVersion
}

export interface ReadOptions {
  /** The version of the first event wanted; 1, the oldest, when not given. */
  readonly from?: number
}

export interface AppendOptions {
  readonly expected: ExpectedVersion
  /** Goes with each of the events. */
  readonly metadata?: Readonly<Record<string, string>>
}

/** The methods of a store; failures reject with an EventStoreError. */
export interface EventStoreMethods {
  /** Makes the set's category when it is not there. */
  ensureCategory<Event extends AnyEvent>(
    set: EventSet<Event>,
    options: { readonly queues: number },
  ): Promise<void>
  /** Reads a stream to its end. An event that cannot be read rejects with UNDECODABLE. */
  read<Event extends AnyEvent>(
    set: EventSet<Event>,
    stream: string,
    options?: ReadOptions,
  ): Promise<StreamRead<Event>>
  /** Appends one or more events at once; a conflict is a value and changes nothing. */
  append<Event extends AnyEvent>(
    set: EventSet<Event>,
    stream: string,
    events: readonly Event[],
    options: AppendOptions,
  ): Promise<AppendResult>
}

/** The same methods as TaskEithers: the left is what the promise would have rejected with. */
export type EventStoreTaskEithers = {
  ensureCategory<Event extends AnyEvent>(
    set: EventSet<Event>,
    options: { readonly queues: number },
  ): TaskEither<EventStoreError, void>
  read<Event extends AnyEvent>(
    set: EventSet<Event>,
    stream: string,
    options?: ReadOptions,
  ): TaskEither<EventStoreError, StreamRead<Event>>
  append<Event extends AnyEvent>(
    set: EventSet<Event>,
    stream: string,
    events: readonly Event[],
    options: AppendOptions,
  ): TaskEither<EventStoreError, AppendResult>
}

export interface EventStore extends EventStoreMethods {
  readonly te: EventStoreTaskEithers
}

const PAGE_EVENTS_MAX = 1_000

function undecodable({ category, stream, version, type, schema, reason }: Undecodable): Error {
  return new EventStoreError('UNDECODABLE', { category, stream, version, type, schema, reason })
}

async function readAll(
  port: EventStorePort,
  { category, stream, from }: { category: string; stream: string; from: number },
): Promise<StreamPage> {
  const events: StoredEvent[] = []
  let next = from
  // The first page's head bounds the read; a busy stream could keep a reader for ever.
  let head: StreamVersion | undefined
  do {
    const page = await port.readPage({
      category,
      stream,
      fromVersion: streamVersion(next),
      maxEvents: PAGE_EVENTS_MAX,
    })
    head ??= page.version
    for (const event of page.events) {
      if (event.version !== next)
        throw new EventStoreError('STREAM_BROKEN', {
          category,
          stream,
          found: event.version,
          wanted: next,
        })
      events.push(event)
      next += 1
    }
    if (page.events.length === 0 && next <= head)
      throw new EventStoreError('STREAM_BROKEN', { category, stream, found: 'none', wanted: next })
  } while (next <= head)
  return { version: streamVersion(Math.max(head, events.length > 0 ? next - 1 : 0)), events }
}

/** The typed store over any backend of the port. */
export function eventStoreOver(port: EventStorePort): EventStore {
  const methods: EventStoreMethods = {
    ensureCategory: (set, options) => port.ensureCategory(set.category, options),
    async read<Event extends AnyEvent>(
      set: EventSet<Event>,
      stream: string,
      { from = 1 }: ReadOptions = {},
    ): Promise<StreamRead<Event>> {
      checkStreamName('read', set.category, stream)
      assert(Number.isSafeInteger(from) && from >= 1, 'versions are counted from 1')
      const page = await readAll(port, { category: set.category, stream, from })
      const records = page.events.map((stored): RecordedEvent<Event> => {
        const decoded = set.decode(stream, stored)
        if (E.isLeft(decoded)) throw undecodable(decoded.left)
        const { version, metadata, position, storedAtMs } = stored
        return { event: decoded.right, version, metadata, position, storedAtMs }
      })
      return { events: records.map(({ event }) => event), records, version: page.version }
    },
    async append(set, stream, events, { expected, metadata }) {
      assert(events.length > 0, 'an append has at least one event')
      checkStreamName('append', set.category, stream)
      const drafts = events.map((event) => set.encode(event, metadata))
      return await port.append({ category: set.category, stream, expected, events: drafts })
    },
  }
  return {
    ...methods,
    te: {
      ensureCategory: asTaskEither(methods.ensureCategory),
      read: asTaskEither(methods.read),
      append: asTaskEither(methods.append),
    },
  }
}

/** The event store of a Sagalog broker. */
export function createEventStore(
  connection: Connection,
  options: BrokerEventsOptions = {},
): EventStore {
  return eventStoreOver(brokerEvents(connection, options))
}
