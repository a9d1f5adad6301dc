/**
 * The log: gives drafts their place, and tells how far what has a place is safe. It wires the
 * gather, the flush, the segments and the reader, and knows nothing of what a record means.
 *
 * Invariant: written <= sequenced and durable <= written; none of them moves back.
 */
import { assert, type DirectoryLock, type Draft, type Hops, type LogRecord } from '@sagalog/kernel'
import { position, type Position } from '@sagalog/kernel'
import type { Appended, Durability, Log, LogStats, RecoveryReport, ScanOptions } from './api.js'
import { LogError } from './errors.js'
import { Flush } from './flush.js'
import { FRAME_HEADER_BYTES, frameBytesOf } from './frame-format.js'
import type { Gather } from './gather.js'
import { LogReader } from './log-reader.js'
import { SEGMENT_HEADER_BYTES } from './segment-format.js'
import { placeOfEnd, type Segment } from './segment.js'
import type { Segments } from './segments.js'
import type { Clock } from '@sagalog/kernel'

export interface LogParts {
  readonly directory: string
  readonly clock: Clock
  readonly hops: Hops
  readonly isOnDemand: boolean
  readonly inFlightBytesMax: number
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
  readonly #roomListeners: (() => void)[] = []
  readonly #advanceListeners: (() => void)[] = []
  readonly #releaseTasks: (() => Promise<void>)[] = []
  readonly report: RecoveryReport
  readonly frameBytesMax: number
  /** True after an append was sent away; its end is told once. */
  #isRoomAwaited = false
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
      isOnDemand: parts.isOnDemand,
      segment: this.#segments.current,
      end: parts.report.end,
      appendProof: () => this.#appendProof(),
      onAdvance: () => this.#tellAdvance(),
    })
    this.#reader = new LogReader({
      gather: parts.gather,
      segments: this.#segments,
      readableEnd: () => this.#readableEnd(),
      failure: () => this.#flush.failure,
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
  }

  append(drafts: readonly Draft[]): Appended | 'wait' | 'full' {
    if (this.#flush.failure !== undefined) throw this.#flush.failure
    if (this.#state !== 'open') throw this.#closedError()
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
    this.#flush.wake()
    this.#parts.hops.reach('log.append')
    return appended
  }

  hasRoom(frameBytes: number): boolean {
    // What ends for ever is told by `append` itself.
    if (this.#state !== 'open' || this.#flush.failure !== undefined) return true
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

  onRoom(listener: () => void): void {
    this.#roomListeners.push(listener)
  }

  onAdvance(listener: () => void): void {
    this.#advanceListeners.push(listener)
  }

  #tellRoom(): void {
    if (!this.#isRoomAwaited) return
    this.#isRoomAwaited = false
    for (const listener of this.#roomListeners) listener()
  }

  #tellAdvance(): void {
    for (const listener of this.#advanceListeners) listener()
    this.#tellRoom()
  }

  watermark(level: Durability): Position {
    return this.#flush.watermark(level)
  }

  waitFor(end: Position, level: Durability): Promise<void> {
    return this.#flush.waitFor(end, level)
  }

  isSafe(end: Position, level: Durability): boolean {
    if (level === 'memory') return true
    const segment = this.#segments.find(position(Math.max(end - 1, 0)))
    if (segment === undefined || end > this.#gather.end) return false
    const { file } = segment
    return placeOfEnd(segment, end) <= (level === 'os' ? file.writtenEnd : file.syncedEnd)
  }

  #readableEnd(): Position {
    if (this.#state === 'closed') throw this.#closedError()
    return this.#flush.failure === undefined ? this.#gather.end : this.#flush.watermark('sync')
  }

  peek(at: Position): LogRecord | undefined {
    return this.#state === 'closed' ? undefined : this.#reader.peek(at)
  }

  read(at: Position): Promise<LogRecord> {
    return this.#reader.read(at)
  }

  scan(from: Position, options?: ScanOptions): AsyncGenerator<readonly LogRecord[], void> {
    return this.#reader.scan(from, options)
  }

  get start(): Position {
    return this.#reader.start
  }

  get failure(): LogError | undefined {
    return this.#flush.failure
  }

  get stats(): LogStats {
    const { writes, syncs, bytes } = this.#flush
    const { frames, records, appended } = this.#gather
    return { writes, syncs, bytes, frames, records, appended }
  }

  #closedError(): LogError {
    return new LogError('CLOSED', { directory: this.#parts.directory })
  }

  beforeRelease(task: () => Promise<void>): void {
    this.#releaseTasks.push(task)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#state = 'closing'
    this.#tellRoom()
    try {
      if (this.#flush.failure === undefined) await this.#flush.finish()
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
    // The next owner must never meet a write of this one.
    await this.#flush.settled()
    await this.#segments.close()
  }
}
