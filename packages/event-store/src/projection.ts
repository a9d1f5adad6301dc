/**
 * A projection: how events make rows, as a definition without any state of its own. Everything here
 * is pure; who reads, writes and keeps the place stands elsewhere. So rows can be thrown away and
 * made again, and made beside the old ones when the definition changes.
 */
import { assert, type Metadata, type StreamVersion } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import * as O from 'fp-ts/lib/Option.js'
import type * as t from 'io-ts'
import { reportOf } from './codec-report.js'
import type { AnyEvent, EventOf, ReadableSet } from './event-set.js'

/** What a projection may know of an event: the same when it is appended and when it is replayed. */
export interface ProjectedEvent<Event extends AnyEvent> {
  readonly event: Event
  readonly category: string
  readonly stream: string
  readonly version: StreamVersion
  readonly metadata: Metadata
}

/** One function per event; a missing one is a compile error. None takes the row away. */
export type RowChanges<Row, Event extends AnyEvent> = {
  readonly [Type in Event['type']]: (
    row: O.Option<Row>,
    data: EventOf<Event, Type>['data'],
    event: ProjectedEvent<EventOf<Event, Type>>,
  ) => O.Option<Row>
}

export interface ProjectionDefinition<Row, Event extends AnyEvent> {
  /** Letters, digits, - and _: it names categories and tables. */
  readonly name: string
  /** Counted from 1; another version has rows of its own, which are built from the first event. */
  readonly version: number
  readonly from: readonly ReadableSet<Event>[]
  readonly row: t.Type<Row, unknown>
  /** The key of an event's row; the name of its stream unless told. */
  readonly key?: (event: ProjectedEvent<Event>) => string
  readonly on: RowChanges<Row, Event>
}

/** A definition with its types closed in. Rows are what the codec made of them: JSON. */
export interface Projection<Row> {
  readonly name: string
  readonly version: number
  readonly sets: ReadonlyMap<string, ReadableSet<AnyEvent>>
  /**
   * True when each row belongs to one stream, so that streams can be parted over instances. Streams
   * of two categories may have one name, and so one row.
   */
  readonly isPerStream: boolean
  keyOf(event: ProjectedEvent<AnyEvent>): string
  /** The row after the event. Throws what the definition's function throws. */
  change(row: unknown, event: ProjectedEvent<AnyEvent>): unknown
  /** A stored row as the codec reads it; left says why it can't. */
  decode(row: unknown): E.Either<string, Row>
}

const NAME = /^[A-Za-z0-9_-]{1,60}$/

/** Defines a projection: `projection({ name, version, from: [Orders], row, on: {..} })`. */
export function projection<Row, Event extends AnyEvent>(
  definition: ProjectionDefinition<Row, Event>,
): Projection<Row> {
  const { from, key, name, row: codec, version } = definition
  assert(NAME.test(name), 'a projection has a name of letters, digits, - and _')
  assert(Number.isSafeInteger(version) && version >= 1, 'versions are counted from 1')
  const table = definition.on as unknown as Readonly<
    Record<
      string,
      | ((row: O.Option<Row>, data: unknown, event: ProjectedEvent<AnyEvent>) => O.Option<Row>)
      | undefined
    >
  >
  const decode = (row: unknown): E.Either<string, Row> => {
    const read = codec.decode(row)
    return E.isLeft(read) ? E.left(reportOf(read.left)) : E.right(read.right)
  }
  const optionOf = (row: unknown): O.Option<Row> => {
    if (row === undefined) return O.none
    const read = decode(row)
    if (E.isLeft(read)) throw new Error(`a row of ${name} can not be read: ${read.left}`)
    return O.some(read.right)
  }
  return {
    name,
    version,
    sets: new Map(from.map((set) => [set.category, set as ReadableSet<AnyEvent>])),
    isPerStream: key === undefined && from.length === 1,
    keyOf: (event) => (key === undefined ? event.stream : key(event as ProjectedEvent<Event>)),
    change(row, event) {
      const { data, type } = event.event
      const step = Object.hasOwn(table, type) ? table[type] : undefined
      assert(step !== undefined, `${name} has no function for ${type}`)
      const after = step(optionOf(row), data, event)
      if (O.isNone(after)) return undefined
      assert(codec.is(after.value), `a row of ${name} does not fit its codec after ${type}`)
      return codec.encode(after.value)
    },
    decode,
  }
}
