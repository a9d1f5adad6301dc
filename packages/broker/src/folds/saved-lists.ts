/**
 * Saves indexes: lists of positions under a head of fields each. Lists only grow at their end and
 * ascend, so the state of a moment is what lies below the log's end of that moment, however late it
 * is taken. A chunk is any number of parts:
 *
 *   head | number entries | entries, 8 bytes each as the processor has them
 *
 * A long list comes in several parts, in order.
 */
import type { Position } from '@sagalog/kernel'
import { FieldReader, type FieldWriter } from '../records/fields.js'
import { countBelow, type PositionList } from './position-list.js'

export interface SavedList {
  readonly positions: PositionList
}

/** A chunk ends at this many bytes, or after so many lists were looked at. */
const CHUNK_BYTES = 16 << 10
const CHUNK_LISTS = 256

export function* saveLists<List extends SavedList>(
  lists: Iterable<List>,
  end: Position,
  head: (list: List) => FieldWriter,
): Generator<Buffer, void> {
  let parts: Buffer[] = []
  let bytes = 0
  let looked = 0
  for (const list of lists) {
    const count = countBelow(list.positions, end)
    for (let from = 0; from < count;) {
      const entries = list.positions.page(from, count)
      const view = Buffer.from(entries.buffer, entries.byteOffset, entries.byteLength)
      const part = head(list).number(entries.length).bytes(view).done()
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
