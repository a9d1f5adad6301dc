/** Events as readers get them: typed, with what the store knows about each. */
import type { Metadata, StreamVersion } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import { EventStoreError } from './errors.js'
import type { AnyEvent, ReadableSet, Undecodable } from './event-set.js'
import type { EventPosition, PortEvent } from './event-store-port.js'

/** An event with what the store knows about it. */
export interface RecordedEvent<Event extends AnyEvent> {
  readonly event: Event
  readonly version: StreamVersion
  readonly metadata: Metadata
  /** Its place in the global order. */
  readonly position: EventPosition
  /** Milliseconds since 1970, by the store's wall clock. */
  readonly storedAtMs: number
}

/** An event of a read over many streams. */
export interface StreamedEvent<Event extends AnyEvent> extends RecordedEvent<Event> {
  readonly category: string
  readonly stream: string
}

/** The error of an event that can't be read. */
export function undecodable(value: Undecodable): EventStoreError {
  const { category, stream, version, type, schema, reason } = value
  return new EventStoreError('UNDECODABLE', { category, stream, version, type, schema, reason })
}

/** The typed event, or why there is none. */
export function recorded<Event extends AnyEvent>(
  set: ReadableSet<Event>,
  stream: string,
  stored: PortEvent,
): E.Either<Undecodable, RecordedEvent<Event>> {
  // The set only needs what is the same in every store.
  const decoded = set.decode(stream, stored)
  if (E.isLeft(decoded)) return decoded
  const { version, metadata, position, storedAtMs } = stored
  return E.right({ event: decoded.right, version, metadata, position, storedAtMs })
}
