/**
 * Saves indexes: lists of positions under a head of fields each. Lists only grow at their end and
 * ascend, so the state of a moment is what lies below the log's end of that moment, however late it
 * is taken. A chunk is any number of parts:
 *
 *   head | number entries | entries, 8 bytes each as the processor has them
 *
 * A long list comes in several parts, in order. A list that has let entries go says in its head
 * where it starts, and comes in one part at least.
 */
import type { Position } from '@sagalog/kernel'
import { FieldReader, type FieldWriter } from '../records/fields.js'
import type { PositionList } from './position-list.js'

export interface SavedList {
  readonly positions: PositionList
}

/** A chunk ends at this many bytes, or after so many lists were looked at. */
const CHUNK_BYTES = 16 << 10
const CHUNK_LISTS = 256

export interface SavingLists<List extends SavedList> {
  readonly end: Position
  /** Where the list started when the save began. */
  readonly startOf?: (list: List) => number
  /** What leads a part whose entries follow on index `start`. */
  readonly head: (list: List, start: number) => FieldWriter
}

export function* saveLists<List extends SavedList>(
  lists: Iterable<List>,
  { end, head, startOf = () => 0 }: SavingLists<List>,
): Generator<Buffer, void> {
  let parts: Buffer[] = []
  let bytes = 0
  let looked = 0
  for (const list of lists) {
    const start = startOf(list)
    const count = list.positions.countBelow(end, start)
    if (count === start && start > 0) parts.push(head(list, start).number(0).done())
    for (let from = start; from < count;) {
      const entries = list.positions.page(from, count)
      const view = Buffer.from(entries.buffer, entries.byteOffset, entries.byteLength)
      const part = head(list, from).number(entries.length).bytes(view).done()
      parts.push(part)
      bytes += part.length
      from += entries.length
      if (bytes < CHUNK_BYTES) continue
      yield Buffer.concat(parts)
      parts = []
      bytes = 0
    }
    looked += 1
    if (looked % CHUNK_LISTS > 0) continue
    yield Buffer.concat(parts)
    parts = []
    bytes = 0
  }
  yield Buffer.concat(parts)
}

/** `listOf` reads a head and gives the list that the entries go to. */
export function loadLists(chunk: Buffer, listOf: (head: FieldReader) => PositionList): void {
  const fields = new FieldReader(chunk, 0, chunk.length)
  while (fields.index < chunk.length) {
    const list = listOf(fields)
    list.pushBytes(fields.bytes(fields.number() * 8))
  }
}
