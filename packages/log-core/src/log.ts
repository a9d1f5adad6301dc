/**
 * The log: gives drafts their place, and tells how far what has a place is safe. It wires the
 * gather, the flush, the segments and the reader, and knows nothing of what a record means.
 *
 * Invariant: written <= sequenced and durable <= written; none of them moves back.
 */
import { assert, type Cancel, type DirectoryLock, type Draft, type Hops } from '@sagalog/kernel'
import { type LogRecord, position, type Position } from '@sagalog/kernel'
import type { AppendOutcome, CursorOptions, Durability, FrameRange } from './api.js'
import type { FrameRangeOptions, Log, LogCursor, LogHealth, LogStats } from './api.js'
import type { RecoveryReport } from './api.js'
import type { ReadOptions, ScanOptions, WriteOptions } from './api.js'
import { Cursors } from './cursor.js'
import { asLogError, LogError } from './errors.js'
import { Flush } from './flush.js'
import { FRAME_HEADER_BYTES, frameBytesOf } from './frame-format.js'
import { readFrames } from './frame-range.js'
import type { Gather } from './gather.js'
import { RANGE_BYTES_DEFAULT } from './limits.js'
import { Listeners } from './listeners.js'
import { LogReader } from './log-reader.js'
import { RecordsAt } from './records-at.js'
import { factsOf, type RetentionOptions, type RetentionReport } from './retention.js'
import type { SegmentFacts } from './retention-plan.js'
import { RoomQueue } from './room-queue.js'
import type { Scrubbing, ScrubOptions, ScrubPlan } from './scrub.js'
import { SEGMENT_HEADER_BYTES } from './segment-format.js'
import { placeOfEnd, type Segment } from './segment.js'
import type { Segments } from './segments.js'
import { Upkeep } from './upkeep.js'
import type { Clock } from '@sagalog/kernel'

export interface LogParts {
  readonly directory: string
  readonly clock: Clock
  readonly hops: Hops
  readonly durability: Durability
  readonly inFlightBytesMax: number
  readonly sealBytesPerSecond: number
  readonly scrub: ScrubPlan | undefined
  readonly gather: Gather
  /** Made with the log's own callbacks. */
  readonly segmentsFor: (onChange: () => void, onFailure: (error: unknown) => void) => Segments
  readonly report: RecoveryReport
  readonly lock: DirectoryLock
}

export class SegmentedLog implements Log {
  readonly #parts: LogParts
  readonly #gather: Gather
  readonly #segments: Segments
  readonly #flush: Flush
  readonly #reader: LogReader
  readonly #recordsAt: RecordsAt
  readonly #roomQueue: RoomQueue
  readonly #cursors: Cursors
  readonly #upkeep: Upkeep
  readonly #roomListeners = new Listeners()
  readonly #advanceListeners = new Listeners()
  readonly #appendListeners: ((records: readonly LogRecord[]) => void)[] = []
  readonly #releaseTasks: (() => Promise<void>)[] = []
  readonly report: RecoveryReport
  readonly frameBytesMax: number
  /** True after an append was sent away; its end is told once. */
  #isRoomAwaited = false
  #isWakePlanned = false
  #state: 'open' | 'closing' | 'closed' = 'open'
  #closed: Promise<void> | undefined

  constructor(parts: LogParts) {
    this.#parts = parts
    this.#gather = parts.gather
    this.report = parts.report
    this.#segments = parts.segmentsFor(
      () => this.#tellRoom(),
      (error) => this.#flush.fail(error),
    )
    this.frameBytesMax = this.#segments.current.segmentBytes - SEGMENT_HEADER_BYTES
    this.#flush = new Flush({
      gather: parts.gather,
      clock: parts.clock,
      hops: parts.hops,
      isOnDemand: parts.durability !== 'sync',
      segment: this.#segments.current,
      end: parts.report.end,
      appendProof: () => this.#appendProof(),
      onAdvance: () => this.#tellAdvance(),
    })
    this.#reader = new LogReader({
      gather: parts.gather,
      segments: this.#segments,
      readableEnd: () => this.#readableEnd('memory'),
      assertOpen: () => this.#assertNotClosed(),
      failure: () => this.#flush.failure,
    })
    this.#recordsAt = new RecordsAt({
      gather: parts.gather,
      segments: this.#segments,
      readableEnd: () => this.#readableEnd('memory'),
      assertOpen: () => this.#assertNotClosed(),
      readOne: (at) => this.#reader.read(at),
    })
    this.#cursors = new Cursors({
      reader: this.#reader,
      readableEnd: (level) => this.#readableEnd(level),
      failure: () => this.#flush.failure,
      isClosed: () => this.#state === 'closed',
    })
    this.#upkeep = new Upkeep({
      segments: this.#segments,
      clock: parts.clock,
      contentEndOf: (segment) => this.#reader.contentEndOf(segment),
      durable: () => this.#flush.watermark('sync'),
      sealBytesPerSecond: parts.sealBytesPerSecond,
      cursorNeeds: () => this.#cursors.needed,
      whenDurable: () => this.waitFor(this.#gather.end, 'sync'),
      onFailure: (error) => this.#flush.fail(error),
    })
    this.#roomQueue = new RoomQueue({
      clock: parts.clock,
      bytesMax: parts.inFlightBytesMax,
      append: (drafts) => this.append(drafts),
      whenSafe: (appended, level) => this.#flush.waitFor(appended.end, level, appended),
    })
  }

  /**
   * Writes the first frame of this opening, an empty one: its epoch is durable before anything else
   * can be, and it proves what recovery kept.
   */
  async begin(): Promise<void> {
    if (!this.#fitsCurrent(FRAME_HEADER_BYTES)) {
      await this.#segments.prepareNow()
      this.#segments.roll(this.#gather.end)
    }
    this.#appendProof()
    await this.#flush.drain()
    this.#segments.prepare()
    this.#upkeep.wake()
    if (this.#parts.scrub !== undefined) this.#upkeep.scrubEvery(this.#parts.scrub)
  }

  append(drafts: readonly Draft[]): AppendOutcome {
    if (this.#flush.failure !== undefined) throw this.#flush.failure
    if (this.#state !== 'open') throw this.#closedError()
    if (this.report.isReadOnly) throw this.#readOnlyError()
    assert(drafts.length > 0, 'a frame has a record')
    const bytes = frameBytesOf(drafts)
    if (bytes > this.frameBytesMax) {
      throw new LogError('RECORD_TOO_LARGE', { bytes, bytesMax: this.frameBytesMax })
    }
    const refusal = this.#refusalFor(bytes)
    if (refusal !== undefined) {
      this.#isRoomAwaited = true
      return refusal
    }
    const appended = this.#gather.append(this.#segmentFor(bytes), drafts, bytes)
    this.#parts.hops.reach('log.append')
    this.#flush.wake()
    for (const listener of this.#appendListeners) listener(appended.records)
    if (this.#cursors.isSequencedFollowed) this.#wakeSoon()
    return appended
  }

  /** Those who follow what is only sequenced get a turn's worth at once. */
  #wakeSoon(): void {
    if (this.#isWakePlanned) return
    this.#isWakePlanned = true
    this.#parts.clock.defer(() => {
      this.#isWakePlanned = false
      this.#cursors.wake()
    })
  }

  write(drafts: readonly Draft[], options?: WriteOptions): Promise<AppendOutcome> {
    try {
      return this.#roomQueue.write(drafts, options?.durability ?? this.#parts.durability)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  hasRoom(frameBytes: number): boolean {
    // What ends for ever is told by `append` itself.
    if (this.#state !== 'open' || this.#flush.failure !== undefined) return true
    if (this.report.isReadOnly) return true
    if (this.#refusalFor(frameBytes) === undefined) return true
    this.#isRoomAwaited = true
    return false
  }

  #refusalFor(bytes: number): 'wait' | 'full' | undefined {
    const inFlight = this.#gather.inFlightBytes
    if (inFlight > 0 && inFlight + bytes > this.#parts.inFlightBytesMax) return 'wait'
    if (this.#fitsCurrent(bytes) || this.#segments.isReady) return undefined
    return this.#segments.isFull ? 'full' : 'wait'
  }

  #fitsCurrent(bytes: number): boolean {
    const { first, base, segmentBytes } = this.#segments.current
    return Math.max(this.#gather.end, first) + bytes <= base + segmentBytes
  }

  #segmentFor(bytes: number): Segment {
    if (this.#fitsCurrent(bytes)) return this.#segments.current
    return this.#segments.roll(this.#gather.end)
  }

  /** An empty frame carries the watermark that its own write starts from. */
  #appendProof(): void {
    // A roll for the proof's sake would make a segment without a reason.
    if (!this.#fitsCurrent(FRAME_HEADER_BYTES)) return
    this.#gather.append(this.#segments.current, [], FRAME_HEADER_BYTES)
    this.#flush.wake()
  }

  onAppend(listener: (records: readonly LogRecord[]) => void): void {
    this.#appendListeners.push(listener)
  }

  onRoom(listener: () => void): Cancel {
    return this.#roomListeners.add(listener)
  }

  onAdvance(listener: () => void): Cancel {
    return this.#advanceListeners.add(listener)
  }

  #tellRoom(): void {
    if (!this.#isRoomAwaited) return
    this.#isRoomAwaited = false
    this.#roomQueue.drain()
    this.#roomListeners.tell()
  }

  #tellAdvance(): void {
    this.#cursors.wake()
    this.#advanceListeners.tell()
    this.#tellRoom()
    this.#upkeep.wake()
  }

  watermark(level: Durability): Position {
    return this.#flush.watermark(level)
  }

  waitFor(end: Position, level: Durability): Promise<void> {
    return this.#flush.waitFor(end, level, undefined)
  }

  isSafe(end: Position, level: Durability): boolean {
    if (level === 'memory') return true
    const segment = this.#segments.find(position(Math.max(end - 1, 0)))
    if (segment === undefined || end > this.#gather.end) return false
    const { file } = segment
    return placeOfEnd(segment, end) <= (level === 'os' ? file.writtenEnd : file.syncedEnd)
  }

  /** The end of what has reached the level; of what is durable, once the log failed. */
  #readableEnd(level: Durability): Position {
    return this.#flush.watermark(this.#flush.failure === undefined ? level : 'sync')
  }

  #assertNotClosed(): void {
    if (this.#state === 'closed') throw this.#closedError()
  }

  peek(at: Position): LogRecord | undefined {
    return this.#state === 'closed' ? undefined : this.#reader.peek(at)
  }

  read(at: Position, options?: ReadOptions): Promise<LogRecord> {
    return this.#reader.read(at, options)
  }

  readMany(positions: readonly Position[], from = 0): Promise<readonly LogRecord[]> {
    return this.#recordsAt.read(positions, from)
  }

  scan(from: Position, options?: ScanOptions): AsyncGenerator<readonly LogRecord[], void> {
    return this.#reader.scan(from, options)
  }

  cursor(from: Position, options: CursorOptions = {}): LogCursor {
    this.#assertNotClosed()
    return this.#cursors.open(from, options.level ?? this.#parts.durability, options.select)
  }

  get cursorNeeds(): Position | undefined {
    return this.#cursors.needed
  }

  async readFrames(from: Position, options: FrameRangeOptions = {}): Promise<FrameRange> {
    this.#assertNotClosed()
    const { durability } = this.#parts
    const level = options.level ?? (durability === 'sync' ? 'sync' : 'os')
    const bounds = {
      from,
      to: this.#readableEnd(level),
      bytesMax: options.bytesMax ?? RANGE_BYTES_DEFAULT,
      verify: options.verify ?? true,
    }
    const parts = { gather: this.#gather, segments: this.#segments, reader: this.#reader }
    return readFrames(parts, bounds)
  }

  get start(): Position {
    return this.#reader.start
  }

  get wholeFrom(): Position {
    const { list } = this.#segments
    const last = list.findLast(({ rewritten }) => rewritten !== undefined)
    return last === undefined ? this.start : position(last.base + last.segmentBytes)
  }

  get failure(): LogError | undefined {
    return this.#flush.failure
  }

  get stats(): LogStats {
    const { writes, syncs, bytes } = this.#flush
    const { frames, records, appended } = this.#gather
    const { recycled } = this.#segments
    return { writes, syncs, bytes, frames, records, appended, recycled }
  }

  get closedSegments(): readonly SegmentFacts[] {
    return this.#segments.list.slice(0, -1).map(factsOf)
  }

  get openBytes(): number {
    return this.#segments.current.places.fileBytes
  }

  get health(): LogHealth {
    const { damaged: seen, unsealed } = this.#upkeep
    // A segment that is not there has no place in the row.
    const lost = this.report.quarantined.filter((range) => !seen.includes(range))
    const damaged = [...seen, ...lost]
    return { state: this.#healthState(damaged.length > 0), damaged, unsealed }
  }

  #healthState(isDamaged: boolean): LogHealth['state'] {
    if (this.#state === 'closed') return 'closed'
    if (this.#flush.failure !== undefined) return 'failed'
    if (this.report.isReadOnly) return 'read-only'
    return isDamaged ? 'damaged' : 'ok'
  }

  scrub(options: ScrubOptions = {}): Scrubbing {
    this.#assertNotClosed()
    return this.#upkeep.scrub(options)
  }

  async retain(options: RetentionOptions): Promise<RetentionReport> {
    if (this.#state !== 'open') throw this.#closedError()
    if (this.report.isReadOnly) throw this.#readOnlyError()
    const { failure } = this.#flush
    if (failure !== undefined) throw failure
    try {
      return await this.#upkeep.retain(options)
    } catch (error) {
      throw asLogError(error, this.#parts.directory)
    }
  }

  #readOnlyError(): LogError {
    const [first] = this.report.quarantined
    assert(first !== undefined, 'a log is read only where something is damaged')
    const { directory } = this.#parts
    return new LogError('READ_ONLY', { directory, file: first.file, position: first.from })
  }

  #closedError(): LogError {
    return new LogError('CLOSED', { directory: this.#parts.directory })
  }

  beforeRelease(task: () => Promise<void>): void {
    this.#releaseTasks.push(task)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close().catch((error: unknown) => {
      throw asLogError(error, this.#parts.directory)
    })
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#state = 'closing'
    this.#tellRoom()
    try {
      const isWritten = this.#flush.failure === undefined && !this.report.isReadOnly
      if (isWritten) await this.#flush.finish()
    } finally {
      await Promise.allSettled(this.#releaseTasks.map((task) => task()))
      await this.abandon()
      await this.#parts.lock.release()
    }
  }

  /** Closes the files as they are; the directory stays taken. */
  async abandon(): Promise<void> {
    this.#state = 'closed'
    this.#flush.stop()
    await this.#upkeep.stop()
    // The next owner must never meet a write of this one.
    await this.#flush.settled()
    this.#cursors.wake()
    await this.#segments.close()
  }
}
