/**
 * The typed face of a store of streams: events of a set go in and come out. It decodes and names;
 * bytes, versions and the wire belong to the port below it. Invariant: what `read` returns is the
 * stream as it stood at one version, without a gap.
 */
import {
  assert,
  type ExpectedVersion,
  type Metadata,
  type StreamClosing,
  type StreamVersion,
} from '@sagalog/kernel'
import type { StreamClosed } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { EventStoreError } from './errors.js'
import type { AnyEvent, EventSet } from './event-set.js'
import {
  type AppendResult,
  type ChangeResult,
  type EventStorePort,
  resultForAll,
  type StreamsPage,
} from './event-store-port.js'
import { recorded, type RecordedEvent, undecodable } from './recorded.js'
import { checkStreamName } from './stream-name.js'
import { type ReadOptions, readStreamBytes } from './stream-reading.js'
import { asTaskEither } from './task-either.js'

export interface StreamRead<Event extends AnyEvent> {
  readonly events: readonly Event[]
  /** The same events with their versions, metadata and places. */
  readonly records: readonly RecordedEvent<Event>[]
  /** The stream's version as of this read, 0 when it is empty. */
  readonly version: StreamVersion
  /** Set when the stream is archived, or deleted and without events. */
  readonly closed?: StreamClosed
}

export interface AppendOptions {
  readonly expected: ExpectedVersion
  /** Goes with each of the events. */
  readonly metadata?: Metadata
  /**
   * Of all appends to the stream under one key only the first is made; later ones are answered as
   * it was, whatever they hold. The store remembers the newest 100,000 keys.
   */
  readonly idempotencyKey?: string
}

/** An append to one of several streams; made by `appendOf`. */
export interface PreparedAppend {
  readonly category: string
  readonly stream: string
  readonly expected: ExpectedVersion
  readonly events: ReturnType<EventSet<AnyEvent>['encode']>[]
}

export interface CloseOptions {
  /** For whoever asks later: who wanted it and why. */
  readonly reason: string
  /** 'exists' unless told. */
  readonly expected?: ExpectedVersion
}

/** The methods of a store; failures reject with an EventStoreError. */
export interface EventStoreMethods {
  /** Makes the set's category when it is not there. */
  ensureCategory<Event extends AnyEvent>(
    set: EventSet<Event>,
    options: { readonly queues: number },
  ): Promise<void>
  /** Reads a stream, all of it unless told. What cannot be read rejects with UNDECODABLE. */
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
  /** Appends to several streams at once: all of it, or nothing and the first conflict. */
  appendAll(
    appends: readonly PreparedAppend[],
    options?: { readonly idempotencyKey?: string },
  ): Promise<ChangeResult>
  /** The stream takes no appends any more and is read as before; `reopen` undoes it. */
  archive<Event extends AnyEvent>(
    set: EventSet<Event>,
    stream: string,
    options: CloseOptions,
  ): Promise<AppendResult>
  reopen<Event extends AnyEvent>(
    set: EventSet<Event>,
    stream: string,
    options: CloseOptions,
  ): Promise<AppendResult>
  /** The stream gives no events any more, for good, and its name is never used again. */
  delete<Event extends AnyEvent>(
    set: EventSet<Event>,
    stream: string,
    options: CloseOptions,
  ): Promise<AppendResult>
  /** The streams of the set's category in the order of their first events. */
  list<Event extends AnyEvent>(
    set: EventSet<Event>,
    options?: { readonly after?: number; readonly limit?: number },
  ): Promise<StreamsPage>
}

type Twin<Method> = Method extends (...args: infer Args) => Promise<infer A>
  ? (...args: Args) => TaskEither<EventStoreError, A>
  : never

/** The same methods as TaskEithers: the left is what the promise would have rejected with. */
export interface EventStoreTaskEithers {
  ensureCategory: Twin<EventStoreMethods['ensureCategory']>
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
  appendAll: Twin<EventStoreMethods['appendAll']>
  archive: Twin<EventStoreMethods['archive']>
  reopen: Twin<EventStoreMethods['reopen']>
  delete: Twin<EventStoreMethods['delete']>
  list: Twin<EventStoreMethods['list']>
}

export interface EventStore extends EventStoreMethods {
  readonly te: EventStoreTaskEithers
  readonly port: EventStorePort
}

const LIST_STREAMS = 1_000

/** Prepares an append to one of several streams for `appendAll`. */
export function appendOf<Event extends AnyEvent>(
  set: EventSet<Event>,
  stream: string,
  events: readonly Event[],
  { expected, metadata }: Omit<AppendOptions, 'idempotencyKey'>,
): PreparedAppend {
  assert(events.length > 0, 'an append has at least one event')
  checkStreamName('append', set.category, stream)
  const drafts = events.map((event) => set.encode(event, metadata))
  return { category: set.category, stream, expected, events: drafts }
}

/** A key that no other stream's key can be. */
const keyOf = (
  { category, stream }: Pick<PreparedAppend, 'category' | 'stream'>,
  key: string,
): string => `${category}/${stream.length}:${stream}/${key}`

/** No stream ever has it. */
export const NEVER = Number.MAX_SAFE_INTEGER as StreamVersion

/** Whether an append to the stream was made under an idempotency key. Changes nothing. */
export async function wasAppended(
  port: Pick<EventStorePort, 'append'>,
  { category, stream }: { readonly category: string; readonly stream: string },
  key: string,
): Promise<boolean> {
  // A known key is answered before anything else is looked at; else nothing meets the version.
  const never = { type: 'Never', schema: 1, data: Buffer.alloc(0) }
  const append = { category, stream, expected: NEVER, events: [never] }
  try {
    return !('conflict' in (await port.append(append, { key: keyOf(append, key) })))
  } catch (thrown) {
    if (EventStoreError.is(thrown) && thrown.code === 'STREAM_CLOSED') return false
    throw thrown
  }
}

function methodsOver(port: EventStorePort): EventStoreMethods {
  async function close(closing: StreamClosing): Promise<AppendResult> {
    checkStreamName('close', closing.category, closing.stream)
    const result = await port.change({ appends: [], closings: [closing] })
    if ('conflict' in result) return { conflict: result.conflict }
    const { category, stream } = closing
    const page = await port.readPage({ category, stream, fromVersion: HEAD, maxEvents: 1 })
    return { appended: page.version, position: result.position, isRepeat: result.isRepeat }
  }
  const closes =
    (state: StreamClosing['state']): EventStoreMethods['archive'] =>
    ({ category }, stream, { expected = 'exists', reason }) =>
      close({ category, stream, expected, state, reason })
  return {
    ensureCategory: (set, options) => port.ensureCategory(set.category, options),
    async read<Event extends AnyEvent>(
      set: EventSet<Event>,
      stream: string,
      options: ReadOptions = {},
    ): Promise<StreamRead<Event>> {
      const { category } = set
      checkStreamName('read', category, stream)
      const { closed, events, version } = await readStreamBytes(port, { category, stream }, options)
      const records = events.map((stored): RecordedEvent<Event> => {
        const decoded = recorded(set, stream, stored)
        if (E.isLeft(decoded)) throw undecodable(decoded.left)
        return decoded.right
      })
      const read = { events: records.map(({ event }) => event), records, version }
      return closed === undefined ? read : { ...read, closed }
    },
    async append(set, stream, events, { idempotencyKey: key, ...options }) {
      const append = appendOf(set, stream, events, options)
      return await port.append(append, key === undefined ? {} : { key: keyOf(append, key) })
    },
    async appendAll(appends, { idempotencyKey: key } = {}) {
      assert(appends.length > 0, 'appends to at least one stream')
      const change = key === undefined ? { appends } : { appends, key: `*/${key}` }
      return resultForAll(appends, await port.change(change))
    },
    archive: closes('archived'),
    reopen: closes('open'),
    delete: closes('deleted'),
    list: (set, { after = 0, limit = LIST_STREAMS } = {}) =>
      port.listStreams({ category: set.category, after, maxStreams: limit }),
  }
}

const HEAD = Number.MAX_SAFE_INTEGER as StreamVersion

/** The typed store over any backend of the port. */
export function eventStoreOver(port: EventStorePort): EventStore {
  const methods = methodsOver(port)
  return {
    ...methods,
    port,
    te: {
      ensureCategory: asTaskEither(methods.ensureCategory),
      read: asTaskEither(methods.read),
      append: asTaskEither(methods.append),
      appendAll: asTaskEither(methods.appendAll),
      archive: asTaskEither(methods.archive),
      reopen: asTaskEither(methods.reopen),
      delete: asTaskEither(methods.delete),
      list: asTaskEither(methods.list),
    },
  }
}
