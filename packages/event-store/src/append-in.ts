/** Appends events as a part of somebody's transaction: they stand or fall with all else in it. */
import type { Tx } from '@sagalog/client'
import type { ExpectedVersion, Metadata } from '@sagalog/kernel'
import type { AnyEvent, EventSet } from './event-set.js'
import { checkStreamName } from './stream-name.js'

export interface AppendInOptions {
  readonly expected: ExpectedVersion
  /** Goes with each of the events. */
  readonly metadata?: Metadata
}

/**
 * Adds an append to `tx`. When the stream does not meet `expected` at the commit, all of the
 * transaction is refused. Without events nothing is added, and `expected` is not checked.
 * Throws an EventStoreError REFUSED for a name that no stream can have.
 */
export function appendIn<Event extends AnyEvent>(
  tx: Pick<Tx, 'append'>,
  set: EventSet<Event>,
  stream: string,
  events: readonly Event[],
  { expected, metadata }: AppendInOptions,
): void {
  if (events.length === 0) return
  checkStreamName('append', set.category, stream)
  tx.append({
    category: set.category,
    stream,
    expected,
    events: events.map((event) => set.encode(event, metadata)),
  })
}
