/**
 * Records at many positions at once: from memory, else those that stand close together in a file by
 * one read, and those that stand alone by whole blocks, of which the last used are kept. No frame
 * is walked: each record verifies by its own checksum over its position.
 *
 * Invariant: a block that is kept may be older than its file, never wrong: what does not verify in
 * it is read anew, and only the file itself can say that a record is damaged.
 */
import { assert, type LogRecord, type Position } from '@sagalog/kernel'
import type { Gather } from './gather.js'
import {
  KEPT_BLOCK_BYTES,
  KEPT_BLOCKS_MAX,
  READ_BLOCK_BYTES,
  READ_MANY_BYTES,
  READ_MANY_RUNS,
  READ_RECORD_BYTES,
  RUN_GAP_BYTES_MAX,
} from './limits.js'
import { isRecordValid, recordView } from './record-format.js'
import { enter, leave, readFully, type Segment } from './segment.js'
import type { Segments } from './segments.js'

export interface RecordsAtParts {
  readonly gather: Gather
  readonly segments: Segments
  /** Nothing at or above it may be read. */
  readonly readableEnd: () => Position
  readonly assertOpen: () => void
  /** Reads one record by itself, and tells why it can't. */
  readonly readOne: (at: Position) => Promise<LogRecord>
}

/** Positions that follow each other in the request and stand close together in one file. */
interface Run {
  readonly segment: Segment
  /** In the request: the first, and one past the last. */
  readonly from: number
  to: number
  /** Where the records begin: the lowest and the highest place. */
  low: number
  high: number
}

/** Bytes of a file from a place on. */
interface Block {
  readonly bytes: Buffer
  readonly place: number
}

export class RecordsAt {
  readonly #parts: RecordsAtParts
  /** By segment and number; the one that was not used for longest comes first. */
  readonly #kept = new Map<number, Buffer>()
  /** Segments that blocks are kept of, as numbers: a rewritten segment is another one. */
  readonly #numbers = new WeakMap<Segment, number>()
  #segmentsSeen = 0

  constructor(parts: RecordsAtParts) {
    this.#parts = parts
  }

  /**
   * The records at the positions from index `from` on, in the order of the request: at least one,
   * and so many as are read in one go. Positions in memory are trusted to be those of records.
   */
  async read(positions: readonly Position[], from: number): Promise<LogRecord[]> {
    this.#parts.assertOpen()
    assert(from < positions.length, 'a record is asked for')
    const records: LogRecord[] = []
    const reads: Promise<void>[] = []
    let bytes = 0
    for (let index = from; index < positions.length;) {
      if (bytes >= READ_MANY_BYTES || reads.length >= READ_MANY_RUNS) break
      const at = positions[index] as Position
      const found = this.#peek(at)
      if (found !== undefined) {
        records[index - from] = found
        bytes += found.end - found.start
        index += 1
        continue
      }
      const run = this.#runFrom(positions, index)
      index = run?.to ?? index + 1
      bytes += run === undefined ? READ_RECORD_BYTES : run.high - run.low + READ_RECORD_BYTES
      const put = (one: number, record: LogRecord): void => {
        records[one - from] = record
      }
      const reading = this.#readRun(positions, run, index - 1, put)
      if (reading !== undefined) reads.push(reading)
    }
    if (reads.length > 0) await Promise.all(reads)
    return records
  }

  #peek(at: Position): LogRecord | undefined {
    const slab = this.#parts.gather.slabAt(at)
    if (slab === undefined || at >= this.#parts.readableEnd()) return undefined
    return recordView(slab.buffer, at - slab.base, at, slab.segment.path)
  }

  /** Undefined when no file holds the first one: reading it by itself says why. */
  #runFrom(positions: readonly Position[], from: number): Run | undefined {
    const { gather, readableEnd, segments } = this.#parts
    const first = positions[from] as Position
    const end = readableEnd()
    const segment = segments.find(first)
    const place = segment?.places.placeOf(first)
    if (segment === undefined || place === undefined || first >= end) return undefined
    const limit = Math.min(gather.oldest?.base ?? end, end)
    const run: Run = { segment, from, to: from + 1, low: place, high: place }
    for (let before = place; run.to < positions.length; run.to += 1) {
      const at = positions[run.to] as Position
      if (at >= limit || at < segment.base || at >= segment.base + segment.segmentBytes) break
      const next = segment.places.placeOf(at)
      if (next === undefined || Math.abs(next - before) > RUN_GAP_BYTES_MAX) break
      const [low, high] = [Math.min(run.low, next), Math.max(run.high, next)]
      if (high - low > READ_BLOCK_BYTES) break
      run.low = low
      run.high = high
      before = next
    }
    return run
  }

  /** Undefined when all of it was in a block that is kept. */
  #readRun(
    positions: readonly Position[],
    run: Run | undefined,
    last: number,
    put: (index: number, record: LogRecord) => void,
  ): Promise<void> | undefined {
    if (run === undefined) return this.#readOne(positions[last] as Position, last, put)
    const { segment } = run
    const number = Math.floor(run.low / KEPT_BLOCK_BYTES)
    const isInOne = Math.floor(run.high / KEPT_BLOCK_BYTES) === number
    const kept = isInOne ? this.#keptBlock(segment, number) : undefined
    if (kept !== undefined) {
      const left = take(positions, run, kept, put)
      return left.length === 0 ? undefined : this.#readLeft(positions, left, put)
    }
    return this.#load(positions, run, isInOne ? number : undefined, put)
  }

  async #load(
    positions: readonly Position[],
    run: Run,
    number: number | undefined,
    put: (index: number, record: LogRecord) => void,
  ): Promise<void> {
    const { high, low, segment } = run
    const place = number === undefined ? low : number * KEPT_BLOCK_BYTES
    const wanted = number === undefined ? high - low + READ_RECORD_BYTES : KEPT_BLOCK_BYTES
    const bytes = Buffer.allocUnsafeSlow(Math.min(wanted, segment.places.fileBytes - place))
    enter(segment)
    let got: number
    try {
      got = await readFully(segment.file, bytes, place)
    } finally {
      leave(segment)
    }
    const block = { bytes: got === bytes.length ? bytes : bytes.subarray(0, got), place }
    if (number !== undefined) this.#keep(segment, number, block.bytes)
    const left = take(positions, run, block, put)
    if (left.length > 0) await this.#readLeft(positions, left, put)
  }

  /** What a block does not hold whole, or held before it was written, is read by itself. */
  async #readLeft(
    positions: readonly Position[],
    left: readonly number[],
    put: (index: number, record: LogRecord) => void,
  ): Promise<void> {
    for (const index of left) await this.#readOne(positions[index] as Position, index, put)
  }

  async #readOne(
    at: Position,
    index: number,
    put: (index: number, record: LogRecord) => void,
  ): Promise<void> {
    put(index, await this.#parts.readOne(at))
  }

  #keyOf(segment: Segment, number: number): number {
    let known = this.#numbers.get(segment)
    if (known === undefined) {
      known = this.#segmentsSeen
      this.#segmentsSeen += 1
      this.#numbers.set(segment, known)
    }
    return known * BLOCKS_OF_SEGMENT_MAX + number
  }

  #keptBlock(segment: Segment, number: number): Block | undefined {
    const key = this.#keyOf(segment, number)
    const bytes = this.#kept.get(key)
    if (bytes === undefined) return undefined
    this.#kept.delete(key)
    this.#kept.set(key, bytes)
    return { bytes, place: number * KEPT_BLOCK_BYTES }
  }

  #keep(segment: Segment, number: number, bytes: Buffer): void {
    const key = this.#keyOf(segment, number)
    this.#kept.delete(key)
    this.#kept.set(key, bytes)
    if (this.#kept.size <= KEPT_BLOCKS_MAX) return
    const oldest = this.#kept.keys().next()
    if (oldest.done !== true) this.#kept.delete(oldest.value)
  }
}

/** More than a file can have. */
const BLOCKS_OF_SEGMENT_MAX = 2 ** 20

/** Puts the records of a run that a block holds; gives the indexes of the others. */
function take(
  positions: readonly Position[],
  { from, segment, to }: Run,
  { bytes, place }: Block,
  put: (index: number, record: LogRecord) => void,
): number[] {
  const left: number[] = []
  for (let index = from; index < to; index += 1) {
    const at = positions[index] as Position
    const start = (segment.places.placeOf(at) ?? -1) - place
    if (start >= 0 && isRecordValid(bytes, start, bytes.length, at))
      put(index, recordView(bytes, start, at, segment.path))
    else left.push(index)
  }
  return left
}
