/** What the log offers to the packages above it: types only. */
import type { Clock, Disk, Draft, Hops, LogRecord, Position, RecordKind } from '@sagalog/kernel'
import type { LogError } from './errors.js'
import type { PlacesOf } from './places.js'

/**
 * When an append counts: `memory` once it has its place, `os` once the operating system has it,
 * `sync` once it is on the disk.
 */
export type Durability = 'sync' | 'os' | 'memory'

export interface LogOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** Made when it is not there. One process at a time has it. */
  readonly directory: string
  /** How files are written. Default `sync`. */
  readonly durability?: Durability
  /** Bytes of a segment of a new log, a multiple of 8; one that exists keeps its own. */
  readonly segmentBytes?: number
  /** Bytes of the recent log kept in memory. */
  readonly cacheBytes?: number
  /** Bytes that may be appended and not yet written before `append` says `wait`. */
  readonly inFlightBytesMax?: number
  readonly hops?: Hops
  /** How positions become file offsets; what is not the identity is for rewritten segments. */
  readonly places?: PlacesOf
}

/** One frame in the log. */
export interface Appended {
  /** In the order of the drafts. Bodies are views into memory shared with the log. */
  readonly records: readonly LogRecord[]
  /** The frame is safe once the watermark of the wanted level has reached this. */
  readonly end: Position
}

export interface LogStats {
  /** Writes of frames to the disk. */
  readonly writes: number
  /** Times at which written bytes became durable. */
  readonly syncs: number
  /** Bytes written. */
  readonly bytes: number
  /** Frames and records appended, and their bytes. */
  readonly frames: number
  readonly records: number
  readonly appended: number
}

/** What recovery found and did. */
export interface RecoveryReport {
  readonly segments: number
  readonly start: Position
  readonly end: Position
  /** The highest durable watermark that a frame carried. */
  readonly watermark: Position
  /** Bytes from the cut to the last byte that was not zero; they were never proven durable. */
  readonly ambiguousBytes: number
  /** Where the cut was made, when something was cut. */
  readonly cut: { readonly file: string; readonly position: Position } | undefined
  /** Files of segments that were never finished, removed. */
  readonly removed: readonly string[]
}

export interface ScanOptions {
  /** Stops before the first record at or after it. */
  readonly to?: Position
  /** Only these kinds; records of other kinds are passed over unverified. */
  readonly select?: (kind: RecordKind) => boolean
}

export interface Log {
  /**
   * Gives all drafts their place, in one frame. `wait`: the next segment is not prepared yet or too
   * many bytes are in flight, try again after `onRoom`. `full`: the disk had no space to prepare
   * the next segment. Throws LogError RECORD_TOO_LARGE, CLOSED, or the failure of this instance.
   */
  append(drafts: readonly Draft[]): Appended | 'wait' | 'full'
  /** False when an append of so many bytes would be told `wait` or `full` now; see `onRoom`. */
  hasRoom(frameBytes: number): boolean
  /** The most bytes that one frame may have; see `frameBytesOf`. */
  readonly frameBytesMax: number
  /** `listener` is called when `wait` or `full` may have ended, and when the log failed. */
  onRoom(listener: () => void): void
  /** The end of what has reached the level: sequenced, written or durable. */
  watermark(level: Durability): Position
  /** `listener` is called after the written or durable watermark moved, or the log failed. */
  onAdvance(listener: () => void): void
  /** Resolves once the level has reached `end`; rejects when the log fails first. */
  waitFor(end: Position, level: Durability): Promise<void>
  /**
   * The audit: is everything below `end` safe at the level? Answered from the account of the file
   * that holds `end`, never from the watermarks that gate replies.
   */
  isSafe(end: Position, level: Durability): boolean
  /** The record at `at` when memory has it. `at` must be a record's position. */
  peek(at: Position): LogRecord | undefined
  /** The record at `at`, verified by its own checksum. Rejects with CORRUPT or POSITION_UNKNOWN. */
  read(at: Position): Promise<LogRecord>
  /** All records from `from` up to the sequenced end at the time of the call, in slices. */
  scan(from: Position, options?: ScanOptions): AsyncGenerator<readonly LogRecord[], void>
  /** Where the first record may stand. */
  readonly start: Position
  readonly report: RecoveryReport
  /** Set once and for all by the first failed write or sync. */
  readonly failure: LogError | undefined
  readonly stats: LogStats
  /** `task` runs in `close`, once all is flushed and while the directory is still held. */
  beforeRelease(task: () => Promise<void>): void
  /** Flushes, proves the tail by an empty frame, and gives the directory back. */
  close(): Promise<void>
}
