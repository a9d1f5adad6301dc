/**
 * Reads the log: from memory where the gather still has it, else from the files, mostly whole
 * frames up to a bound that the log gives. What does not verify is never handed over.
 */
import { assert, type LogRecord, position, type Position } from '@sagalog/kernel'
import { recordKindOf } from '@sagalog/kernel'
import type { ReadOptions, ScanOptions } from './api.js'
import { LogError } from './errors.js'
import { frameBytes, frameCount, FRAME_HEADER_BYTES, frameWatermark } from './frame-format.js'
import { type FrameCursor, frameCursor, judgeLoading } from './frame-cursor.js'
import type { Gather, Slab } from './gather.js'
import { READ_RECORD_BYTES, SCAN_SLICE_RECORDS } from './limits.js'
import { isRecordValid, RECORD_HEADER_BYTES, recordLength, recordView } from './record-format.js'
import { ReadAhead } from './read-ahead.js'
import { nextFrameAfter } from './resync.js'
import { type DamagedRange, enter, leave, placeOfEnd, readFully, type Segment } from './segment.js'
import type { Segments } from './segments.js'
import { lastFrameEnd, surveySegment } from './survey.js'

export interface LogReaderOptions {
  readonly gather: Gather
  readonly segments: Segments
  /** Nothing at or above it may be read; below durable once the log failed. */
  readonly readableEnd: () => Position
  /** Throws when the log is closed: then its files are. */
  readonly assertOpen: () => void
  readonly failure: () => LogError | undefined
}

export type Select = ScanOptions['select']

/** Records of whole frames. */
export interface Slice {
  readonly records: readonly LogRecord[]
  /** Where the next frame stands, or the next segment begins. */
  readonly next: Position
}

export interface SliceRange {
  readonly from: Position
  readonly to: Position
  readonly select: Select
  /** Told what is damaged, and then passed over; see `ScanOptions`. */
  readonly skip?: ScanOptions['skip']
  /** True when a frame is known to start at `from`; else the walk to it starts further down. */
  readonly isFrameStart: boolean
}

export class LogReader {
  readonly #gather: Gather
  readonly #segments: Segments
  readonly #readableEnd: () => Position
  /** Throws when the log is closed. */
  readonly assertOpen: () => void
  readonly #failure: () => LogError | undefined
  readonly #ahead = new ReadAhead()

  constructor(options: LogReaderOptions) {
    this.#gather = options.gather
    this.#segments = options.segments
    this.#readableEnd = options.readableEnd
    this.assertOpen = options.assertOpen
    this.#failure = options.failure
  }

  get start(): Position {
    const first = this.#segments.list[0]
    assert(first !== undefined, 'a log has a segment')
    return first.first
  }

  /** The record from memory; `at` is trusted to be a record's position. */
  peek(at: Position): LogRecord | undefined {
    if (at >= this.#readableEnd()) return undefined
    const slab = this.#gather.slabAt(at)
    if (slab === undefined) return this.#peekAhead(at)
    const index = at - slab.base
    if (index + RECORD_HEADER_BYTES > slab.used) return undefined
    const end = index + RECORD_HEADER_BYTES + recordLength(slab.buffer, index)
    if (end > slab.used) return undefined
    return recordView(slab.buffer, index, at, slab.segment.path)
  }

  /** The record from a block that was read further than asked. */
  #peekAhead(at: Position): LogRecord | undefined {
    const segment = this.#segments.find(at)
    const place = segment?.places.placeOf(at)
    if (segment === undefined || place === undefined) return undefined
    const found = this.#ahead.find(segment, place)
    if (found === undefined) return undefined
    const { bytes, index } = found
    if (!isRecordValid(bytes, index, bytes.length, at)) return undefined
    return recordView(bytes, index, at, segment.path)
  }

  async read(at: Position, { ahead = false }: ReadOptions = {}): Promise<LogRecord> {
    this.assertOpen()
    const end = this.#readableEnd()
    if (at < this.start || at >= end) throw this.#unknown(at, end)
    const slab = this.#gather.slabAt(at)
    if (slab !== undefined) {
      const index = at - slab.base
      if (!isRecordValid(slab.buffer, index, slab.used, at)) throw this.#unknown(at, end)
      return recordView(slab.buffer, index, at, slab.segment.path)
    }
    const segment = this.#segments.find(at)
    const place = segment?.places.placeOf(at)
    if (segment === undefined || place === undefined) throw this.#unknown(at, end)
    enter(segment)
    try {
      if (ahead) await this.#ahead.load(segment, place)
      const near = ahead ? this.#peekAhead(at) : undefined
      const record = near ?? (await readRecord(segment, at, place))
      if (record !== undefined) return record
      await this.#explain(segment, at, end)
      throw this.#unknown(at, end)
    } finally {
      leave(segment)
    }
  }

  #unknown(at: Position, end: Position): LogError {
    return new LogError('POSITION_UNKNOWN', { position: at, start: this.start, end })
  }

  /** A record that does not verify is damage, unless no record begins there: walks up to it. */
  async #explain(segment: Segment, at: Position, end: Position): Promise<void> {
    const known = segment.damage.find(({ from, to }) => from <= at && at < to)
    if (known !== undefined) throw damage(segment, known.from, known.reason)
    const to = position(Math.min(end, at + 1))
    const range = { segment, from: segment.first, to, select: undefined, skip: undefined }
    for await (const { records } of this.#scanFile(range)) {
      for (const record of records) {
        if (record.position === at) throw damage(segment, at, 'a record checksum is wrong')
      }
    }
  }

  /** See Log.scan. The bound is taken now, not when the first slice is asked for. */
  scan(from: Position, options?: ScanOptions): AsyncGenerator<readonly LogRecord[], void> {
    this.assertOpen()
    const to = position(Math.min(this.#readableEnd(), options?.to ?? Number.MAX_SAFE_INTEGER))
    const { select, skip } = options ?? {}
    return this.#scan({ from, to, select, skip, isFrameStart: false })
  }

  async *#scan(range: SliceRange): AsyncGenerator<readonly LogRecord[], void> {
    for await (const { records } of this.slices(range)) yield records
  }

  /** The records of a range up to damage; memory is read after a close, too. */
  async *slices(range: SliceRange): AsyncGenerator<Slice, void> {
    const { to: end, select, skip } = range
    let { isFrameStart } = range
    let at = position(Math.max(range.from, this.start))
    while (at < end) {
      const readable = this.#readableEnd()
      // The log failed under the scan: what is above durable is not there any more.
      if (at >= readable) throw this.#failure() ?? this.#unknown(at, readable)
      const slab = this.#gather.slabAt(at)
      if (slab !== undefined) {
        const to = position(Math.min(end, slab.base + slab.used))
        const walkFrom = isFrameStart ? at : slab.base
        yield* scanSlab(slab, { segment: slab.segment, from: at, to, select, skip }, walkFrom)
        at = to
        isFrameStart = true
        continue
      }
      const segment = this.#segments.find(at)
      if (segment === undefined) throw this.#unknown(at, readable)
      const contentEnd = await this.#walkEndOf(segment)
      const inMemory = this.#gather.slabAfter(at)?.base ?? end
      const to = position(Math.min(end, contentEnd, inMemory))
      if (at < to) yield* this.#scanFile({ segment, from: at, to, select, skip })
      // Behind its last frame a segment holds nothing; the next frame is the next one's first.
      const isSpent = to === contentEnd && to < end
      at = isSpent ? firstAfter(segment) : to
      isFrameStart = true
    }
  }

  /** Where the frames of a segment end: the current one at the log's end, others where known. */
  async contentEndOf(segment: Segment): Promise<Position> {
    if (segment === this.#segments.current) return this.#gather.end
    if (segment.contentEnd !== undefined) return segment.contentEnd
    const next = this.#segments.find(firstAfter(segment))
    assert(next !== undefined, 'a segment that is not the last has a next one')
    segment.contentEnd = await this.#endBefore(next, segment)
    return segment.contentEnd
  }

  /** When the next segment is damaged, this one is read as far as its own frames go. */
  async #walkEndOf(segment: Segment): Promise<Position> {
    try {
      return await this.contentEndOf(segment)
    } catch (error) {
      if (!LogError.is(error) || error.code !== 'CORRUPT') throw error
      return lastFrameEnd(await surveySegment(segment))
    }
  }

  /** The first write to a segment started when all before it was durable, and says so. */
  async #endBefore(next: Segment, segment: Segment): Promise<Position> {
    this.assertOpen()
    let end = next.rewritten?.endBefore
    if (end === undefined) {
      const cursor = frameCursor(next, true)
      cursor.seek(next.first)
      enter(next)
      const verdict = await judgeLoading(cursor).finally(() => leave(next))
      if (verdict !== 'valid') throw damage(next, next.first, verdict)
      end = frameWatermark(cursor.block, cursor.at)
    }
    if (end < segment.first || end > segment.base + segment.segmentBytes) {
      throw damage(next, next.first, 'the watermark is impossible')
    }
    return position(end)
  }

  /** The segment stays as it is until the last slice was taken, or the walk was ended. */
  async *#scanFile(range: WantedRange): AsyncGenerator<Slice, void> {
    this.assertOpen()
    enter(range.segment)
    try {
      yield* this.#walkFile(range)
    } finally {
      leave(range.segment)
    }
  }

  async *#walkFile(range: WantedRange): AsyncGenerator<Slice, void> {
    const { segment, to } = range
    const toPlace = placeOfEnd(segment, to)
    const cursor = frameCursor(segment, !isEachVerified(range), { toPlace })
    try {
      yield* this.#walkWith(cursor, range)
    } finally {
      await cursor.settled()
    }
  }

  async *#walkWith(cursor: FrameCursor, range: WantedRange): AsyncGenerator<Slice, void> {
    const { segment, from, to, skip } = range
    let records: LogRecord[] = []
    let next = segment.places.nextFrom(await startOf(cursor, segment, from))
    while (next !== undefined && next < to) {
      if (next !== cursor.position) cursor.seek(next)
      let verdict = cursor.judge()
      if (verdict === 'incomplete') {
        // What was read so far leaves before the next block is fetched.
        if (records.length > 0) yield { records, next: cursor.position }
        records = []
        this.assertOpen()
        verdict = await judgeLoading(cursor)
      }
      if (verdict !== 'valid') {
        if (records.length > 0) yield { records, next: cursor.position }
        records = []
        const damaged = damagedAt(segment, cursor.position, verdict)
        if (skip === undefined) throw damage(segment, damaged.from, damaged.reason)
        const behind = await nextFrameAfter(segment, damaged.from, to)
        skip({ ...damaged, to: behind })
        next = segment.places.nextFrom(behind)
        continue
      }
      collect(range, cursor, records)
      cursor.step()
      if (records.length >= SCAN_SLICE_RECORDS) {
        yield { records, next: cursor.position }
        records = []
      }
      next = segment.places.nextFrom(cursor.position)
    }
    if (records.length > 0) yield { records, next: cursor.position }
  }
}

/** Where the first frame of the segment behind it stands. */
export function firstAfter(segment: Segment): Position {
  return position(segment.first + segment.segmentBytes)
}

export function damage(segment: Segment, at: Position, reason: string): LogError {
  return new LogError('CORRUPT', { file: segment.path, position: at, reason })
}

/** What is known of damage at `at`, else what was seen there now. */
function damagedAt(segment: Segment, at: Position, verdict: string): DamagedRange {
  const known = segment.damage.find(({ from, to }) => from <= at && at < to)
  const reason = known?.reason ?? (verdict === 'blank' ? 'a frame is missing' : verdict)
  return { file: segment.path, from: at, to: at, reason }
}

/** `from` when a frame starts there, else the start of the segment. */
async function startOf(cursor: FrameCursor, segment: Segment, from: Position): Promise<Position> {
  if (from <= segment.first) return segment.first
  if (segment.places.placeOf(from) === undefined) return from
  cursor.seek(from)
  return (await judgeLoading(cursor)) === 'valid' ? from : segment.first
}

/** What a scan wants of one segment. */
interface WantedRange {
  readonly segment: Segment
  readonly select: Select
  readonly skip: ScanOptions['skip']
  readonly from: Position
  readonly to: Position
}

/** Frames are verified whole, unless only some of their records are wanted or can be had. */
const isEachVerified = ({ select, skip }: WantedRange): boolean =>
  select !== undefined || skip !== undefined

type FrameAt = Pick<FrameCursor, 'block' | 'at' | 'position'>

/** Adds the wanted records of one verified frame. */
function collect(range: WantedRange, frame: FrameAt, records: LogRecord[]): void {
  const { segment, select, skip, from, to } = range
  const { block, at, position: start } = frame
  let cursor = at + FRAME_HEADER_BYTES
  for (let count = frameCount(block, at); count > 0; count -= 1) {
    const index = cursor
    const where = position(start + (index - at))
    cursor = index + RECORD_HEADER_BYTES + recordLength(block, index)
    if (where < from) continue
    if (where >= to) return
    const kind = select === undefined ? undefined : recordKindOf(block[index + 8] ?? 0)
    if (select !== undefined && kind !== undefined && !select(kind)) continue
    if (isEachVerified(range) && !isRecordValid(block, index, cursor, where)) {
      const reason = 'a record checksum is wrong'
      if (skip === undefined) throw damage(segment, where, reason)
      skip({ file: segment.path, from: where, to: position(where + (cursor - index)), reason })
      continue
    }
    records.push(recordView(block, index, where, segment.path))
  }
}

function* scanSlab(slab: Slab, range: WantedRange, walkFrom: Position): Generator<Slice, void> {
  const { buffer, base } = slab
  let records: LogRecord[] = []
  let at = walkFrom - base
  while (base + at < range.to) {
    collect(range, { block: buffer, at, position: position(base + at) }, records)
    at += frameBytes(buffer, at)
    if (records.length < SCAN_SLICE_RECORDS) continue
    yield { records, next: position(base + at) }
    records = []
  }
  if (records.length > 0) yield { records, next: position(base + at) }
}

/** Reads one record from its file; undefined when what stands there does not verify. */
async function readRecord(
  segment: Segment,
  at: Position,
  place: number,
): Promise<LogRecord | undefined> {
  const left = Math.min(segment.places.fileBytes - place, segment.base + segment.segmentBytes - at)
  let block = Buffer.allocUnsafe(Math.min(READ_RECORD_BYTES, left))
  let got = await readFully(segment.file, block, place)
  if (got < RECORD_HEADER_BYTES) return undefined
  const bytes = RECORD_HEADER_BYTES + recordLength(block, 0)
  if (bytes > left) return undefined
  if (bytes > got) {
    block = Buffer.allocUnsafe(bytes)
    got = await readFully(segment.file, block, place)
  }
  if (!isRecordValid(block, 0, got, at)) return undefined
  return recordView(block, 0, at, segment.path)
}
