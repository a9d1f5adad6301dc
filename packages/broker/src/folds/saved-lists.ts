/**
 * Saves indexes: lists of positions under a head of fields each. Lists only grow at their end and
 * ascend, so the state of a moment is what lies below the log's end of that moment, however late it
 * is taken. A chunk is any number of parts:
 *
 *   head | number entries | entries, 8 bytes each: little-endian doubles
 *
 * A long list comes in several parts, in order. A list that has let entries go says in its head
 * where it starts, and comes in one part at least.
 */
import { assert, type Position } from '@sagalog/kernel'
import { FieldReader } from '../records/fields.js'
import { ENTRY_BYTES, type PositionList } from './position-list.js'

export interface SavedList {
  readonly positions: PositionList
}

/** A chunk ends at this many bytes, or after so many lists were looked at. */
const CHUNK_BYTES = 16 << 10
const CHUNK_LISTS = 256
/** Entries of one part. */
const PART_ENTRIES = 1_024
const WORD = 0x1_0000_0000
const NOTHING = Buffer.alloc(0)

/** Puts parts into one buffer: there are millions of them, too many for buffers of their own. */
export class ChunkWriter {
  private buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  private used = 0

  get bytes(): number {
    return this.used
  }

  text(value: string): void {
    // No character takes more than three bytes for each of its units.
    const at = this.room(2 + 3 * value.length)
    const bytes = this.buffer.write(value, at + 2, 'utf8')
    assert(bytes <= 0xffff, 'a text field is at most 65,535 bytes')
    this.buffer.writeUInt16BE(bytes, at)
    this.used = at + 2 + bytes
  }

  number(value: number): void {
    const at = this.room(8)
    this.buffer.writeUInt32BE(Math.floor(value / WORD), at)
    this.buffer.writeUInt32BE(value >>> 0, at + 4)
    this.used = at + 8
  }

  entries(list: PositionList, from: number, to: number): void {
    this.number(to - from)
    let at = this.room((to - from) * ENTRY_BYTES)
    for (let index = from; index < to; index += 1)
      at = this.buffer.writeDoubleLE(list.entry(index), at)
    this.used = at
  }

  take(): Buffer {
    if (this.used === 0) return NOTHING
    const chunk = this.buffer.subarray(0, this.used)
    this.buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    this.used = 0
    return chunk
  }

  /** Where the next field goes; so many bytes of room are behind it. */
  private room(bytes: number): number {
    if (this.used + bytes <= this.buffer.length) return this.used
    const larger = Buffer.allocUnsafeSlow(Math.max(this.used + bytes, 2 * this.buffer.length))
    this.buffer.copy(larger, 0, 0, this.used)
    this.buffer = larger
    return this.used
  }
}

export interface SavingLists<List extends SavedList> {
  readonly end: Position
  /** Where the list started when the save began. */
  readonly startOf?: (list: List) => number
  /** Writes what leads a part whose entries follow on index `start`. */
  readonly head: (writer: ChunkWriter, list: List, start: number) => void
}

export function* saveLists<List extends SavedList>(
  lists: Iterable<List>,
  { end, head, startOf = () => 0 }: SavingLists<List>,
): Generator<Buffer, void> {
  const writer = new ChunkWriter()
  let looked = 0
  for (const list of lists) {
    const { positions } = list
    const start = startOf(list)
    const count = positions.countBelow(end, start)
    if (count === start && start > 0) {
      head(writer, list, start)
      writer.number(0)
    }
    for (let from = start; from < count; from += PART_ENTRIES) {
      head(writer, list, from)
      writer.entries(positions, from, Math.min(count, from + PART_ENTRIES))
      if (writer.bytes >= CHUNK_BYTES) yield writer.take()
    }
    looked += 1
    if (looked % CHUNK_LISTS === 0) yield writer.take()
  }
  yield writer.take()
}

/** `listOf` reads a head and gives the list that the entries go to. */
export function loadLists(chunk: Buffer, listOf: (head: FieldReader) => PositionList): void {
  const fields = new FieldReader(chunk, 0, chunk.length)
  while (fields.index < chunk.length) {
    const list = listOf(fields)
    const count = fields.number()
    list.pushSaved(chunk, fields.index, fields.skip(count * ENTRY_BYTES))
  }
}
