/** What the log offers to the packages above it: types only. */
import type {
  Cancel,
  Clock,
  Disk,
  Draft,
  Hops,
  LogRecord,
  Position,
  RecordKind,
} from '@sagalog/kernel'
import type { LogError } from './errors.js'
import type { PlacesOf } from './places.js'
import type { RetentionOptions, RetentionReport } from './retention.js'
import type { SegmentFacts } from './retention-plan.js'
import type { Scrubbing, ScrubOptions, ScrubPlan } from './scrub.js'
import type { DamagedRange } from './segment.js'

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
  /** How long to wait for a directory that another process has. Default: not at all. */
  readonly lock?: { readonly waitMs: number }
  /** How files are written. Default `sync`. */
  readonly durability?: Durability
  /**
   * Bytes of a segment of a new log, a multiple of 8 from 512 to 2^30; one that exists keeps its
   * own. Default 64 MiB.
   */
  readonly segmentBytes?: number
  /** Bytes of the recent log kept in memory, for readers near the tail. Default 8 MiB. */
  readonly cacheBytes?: number
  /**
   * Bytes that may be appended and not yet written before `append` says `wait`; `write` lets as
   * many again wait for room. Default 16 MiB.
   */
  readonly inFlightBytesMax?: number
  readonly hops?: Hops
  /** How fast closed segments are read to be sealed, at most. Default 64 MiB; 0: not at all. */
  readonly sealBytesPerSecond?: number
  /** Scrubs the log while it is open. Default: only when `scrub` is called. */
  readonly scrub?: ScrubPlan
  /**
   * What an opening does that finds damage. `reject` (default): it rejects with CORRUPT and changes
   * nothing. `read-only`: it opens for reading, changes nothing either, and lists the damage.
   */
  readonly onDamage?: 'reject' | 'read-only'
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

/**
 * What came of an append, when nothing failed. `wait`: the next segment is not prepared yet, or too
 * many bytes are in flight. `full`: the disk had no space to prepare the next segment. Nothing was
 * appended then, and the same may be tried again.
 */
export type AppendOutcome = Appended | 'wait' | 'full'

export interface WriteOptions {
  /** The level that counts for this write. Default: the level of the log. */
  readonly durability?: Durability
}

export interface ReadOptions {
  /**
   * Reads a whole block of the file and keeps it for a while: for who goes on to what stands near
   * behind it. Default false.
   */
  readonly ahead?: boolean
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
  /** Segments that were prepared from the file of a retired one. */
  readonly recycled: number
}

/**
 * `active`: the log ends in it. `prepared`: behind the active one, without frames. `sealed`:
 * closed, with a checksum over the whole file. `unsealed`: closed, and sealed soon. `quarantined`:
 * something in it is damaged; what verifies is still read.
 */
export type RecoveredState = 'active' | 'prepared' | 'sealed' | 'unsealed' | 'quarantined'

export interface RecoveredSegment {
  readonly file: string
  readonly base: Position
  readonly state: RecoveredState
  /** It holds only what had to stay. */
  readonly isRewritten: boolean
}

/** What recovery found and did. */
export interface RecoveryReport {
  readonly segments: number
  readonly states: readonly RecoveredSegment[]
  readonly start: Position
  readonly end: Position
  /** The highest durable watermark that a frame carried. */
  readonly watermark: Position
  /** Bytes from the cut to the last byte that was not zero; they were never proven durable. */
  readonly ambiguousBytes: number
  /** Where the cut was made, when something was cut. */
  readonly cut: { readonly file: string; readonly position: Position } | undefined
  /** Files that were never finished or whose segment had retired, removed. */
  readonly removed: readonly string[]
  /** Files of retired segments, kept for their next use. */
  readonly recycled: readonly string[]
  /** Damage that was found; only with `onDamage: 'read-only'`, and then the log is read only. */
  readonly quarantined: readonly DamagedRange[]
  readonly isReadOnly: boolean
  /** Milliseconds of the monotonic clock. */
  readonly durationMs: number
}

/**
 * `damaged`: what is listed does not verify; the rest is read and appended to. `read-only`: it was
 * opened over damage. `failed`: a write or sync failed, open it again.
 */
export interface LogHealth {
  readonly state: 'ok' | 'damaged' | 'read-only' | 'failed' | 'closed'
  readonly damaged: readonly DamagedRange[]
  /** Closed segments that have no checksum over the whole file yet. */
  readonly unsealed: number
}

export interface ScanOptions {
  /** Stops before the first record at or after it. */
  readonly to?: Position
  /** Only these kinds; records of other kinds are passed over unverified. */
  readonly select?: (kind: RecordKind) => boolean
  /**
   * Told each damaged range, and the scan goes on behind it; without it a scan ends with CORRUPT.
   */
  readonly skip?: (damaged: DamagedRange) => void
}

export interface CursorOptions {
  /** Hands over only what has reached it. Default: the level of the log. */
  readonly level?: Durability
  /** Only these kinds; records of other kinds are passed over unverified. */
  readonly select?: (kind: RecordKind) => boolean
}

/**
 * A reader that follows the tail: slices of records, in order and without a gap, as they reach the
 * level. It waits at the tail. It ends when it was closed, and when the log was closed and all was
 * handed over; it rejects with the failure of the log once all that is durable was handed over,
 * with CLOSED when something was left to read from a closed log, and with CORRUPT at damage. A
 * crash leaves nothing of it: save `position` to go on from there.
 */
export interface LogCursor extends AsyncIterableIterator<readonly LogRecord[], undefined> {
  /** Everything below it was handed over. While the cursor is open the log keeps what follows. */
  readonly position: Position
  readonly level: Durability
  /** Waits for the next slice; one at a time. */
  next(): Promise<IteratorResult<readonly LogRecord[], undefined>>
  /** Ends it, also while it waits. */
  close(): void
}

export interface FrameRangeOptions {
  /** Only what has reached it. Default: the level of the log, at least `os`. */
  readonly level?: 'sync' | 'os'
  /** About the most bytes; one frame always fits. Default 1 MiB. */
  readonly bytesMax?: number
  /** Checks each frame and record. Default true. */
  readonly verify?: boolean
}

/** Frames as they are stored. */
export interface FrameRange {
  /** Whole frames, one behind the other; none at the end. Shared with the log: not to change. */
  readonly bytes: Buffer
  /** The position of the first byte; above the one asked for at the end of a segment. */
  readonly from: Position
  /** Where to go on. */
  readonly next: Position
}

export interface Log {
  /**
   * Gives all drafts their place, in one frame: all of them or none, also after a crash. Whoever
   * was told `wait` or `full` may try again after `onRoom`. Throws LogError RECORD_TOO_LARGE,
   * CLOSED, or the failure of this instance.
   */
  append(drafts: readonly Draft[]): AppendOutcome
  /**
   * Appends as soon as there is room, first come, first served, and resolves once the frame is safe
   * at the level. What waits for room is bounded by `inFlightBytesMax`: above it the outcome is
   * `wait` at once, and `full` when the disk has no space; nothing was appended then. Rejects with
   * what `append` throws, and with the failure of this instance (`state: 'unknown'`: the frame may
   * be there when the log is opened again, whole or not at all).
   */
  write(drafts: readonly Draft[], options?: WriteOptions): Promise<AppendOutcome>
  /** `listener` is called with the records of each append, in its turn, before it returns. */
  onAppend(listener: (records: readonly LogRecord[]) => void): void
  /** False when an append of so many bytes would be told `wait` or `full` now; see `onRoom`. */
  hasRoom(frameBytes: number): boolean
  /** The most bytes that one frame may have; see `frameBytesOf`. */
  readonly frameBytesMax: number
  /**
   * `listener` is called when `wait` or `full` may have ended, and when the log failed. What comes
   * back removes it.
   */
  onRoom(listener: () => void): Cancel
  /**
   * The end of what has reached the level: sequenced, written or durable. It never moves back, and
   * not at all after a failure. What is below durable is there after a crash.
   */
  watermark(level: Durability): Position
  /**
   * `listener` is called after the written or durable watermark moved, or the log failed. What
   * comes back removes it.
   */
  onAdvance(listener: () => void): Cancel
  /**
   * Resolves once the level has reached `end`; rejects when the log fails first. A wait for `sync`
   * on a log of another level makes it sync now; all who wait meanwhile share the next sync.
   */
  waitFor(end: Position, level: Durability): Promise<void>
  /**
   * The audit: is everything below `end` safe at the level? Answered from the account of the file
   * that holds `end`, never from the watermarks that gate replies.
   */
  isSafe(end: Position, level: Durability): boolean
  /**
   * The record at `at` when memory has it, or a read ahead brought it, else undefined; never reads
   * the disk. `at` must be a record's position. It may be of a frame that a crash still takes: see
   * `watermark`.
   */
  peek(at: Position): LogRecord | undefined
  /**
   * The record at `at`, from memory or the disk, verified by its own checksum. Rejects with
   * LogError CORRUPT, POSITION_UNKNOWN when no record begins there, CLOSED or IO.
   */
  read(at: Position, options?: ReadOptions): Promise<LogRecord>
  /**
   * The records at the positions from index `from` on, in the order of the request: at least one,
   * and as many as are read in one go, about a megabyte. Like `read` for each, but positions that
   * are in memory are trusted to be those of records. Bodies are views, of memory that is shared.
   */
  readMany(positions: readonly Position[], from?: number): Promise<readonly LogRecord[]>
  /**
   * All records from `from` up to the sequenced end at the time of the call, verified, in slices of
   * about a thousand. Rejects with LogError CORRUPT at damage, once all before it was handed over,
   * CLOSED or IO, and with the failure of the log when what is left is not durable.
   */
  scan(from: Position, options?: ScanOptions): AsyncGenerator<readonly LogRecord[], void>
  /**
   * Follows the log from `from` on: its start, a record's position, or what a cursor or an append
   * gave as the end. Throws LogError POSITION_UNKNOWN for what the log does not hold, CLOSED.
   */
  cursor(from: Position, options?: CursorOptions): LogCursor
  /**
   * The frames from `from` on, where a frame must begin: the log's start, an `end`, a `next`. One
   * buffer, from memory or read in one piece, in which no record was touched unless verified.
   * Rejects with POSITION_UNKNOWN, CORRUPT when the first frame is damaged, CLOSED.
   */
  readFrames(from: Position, options?: FrameRangeOptions): Promise<FrameRange>
  /** The lowest position that an open cursor has still to read, or undefined without one. */
  readonly cursorNeeds: Position | undefined
  /** Where the first record may stand. */
  readonly start: Position
  /** From here on nothing was taken out; below it some records are gone. At least `start`. */
  readonly wholeFrom: Position
  readonly report: RecoveryReport
  /** The closed segments, the oldest first: all that may retire or be rewritten. */
  readonly closedSegments: readonly SegmentFacts[]
  /** Bytes of the file that frames go to. */
  readonly openBytes: number
  /** What is known to be wrong with the log now. */
  readonly health: LogHealth
  /**
   * Reads every closed segment and verifies it, in slices and at a bounded pace. Damage is told in
   * the report and in `health`; nothing is changed but a seal that did not verify.
   */
  scrub(options?: ScrubOptions): Scrubbing
  /**
   * Lets go what nobody needs: retires segments at the start of the log and rewrites closed ones
   * with only what must stay; positions are unchanged. One run at a time. A crash in the middle
   * leaves each segment as it was, rewritten, or gone with all before it. Rejects with READ_ONLY,
   * CLOSED, or the failure of this instance; a full disk is told in the report.
   */
  retain(options: RetentionOptions): Promise<RetentionReport>
  /** Set once and for all by the first failed write or sync. */
  readonly failure: LogError | undefined
  readonly stats: LogStats
  /** `task` runs in `close`, once all is flushed and while the directory is still held. */
  beforeRelease(task: () => Promise<void>): void
  /**
   * Flushes, proves the tail by an empty frame, and gives the directory back. Appends are refused
   * from the call on. Rejects with the failure of the log. A crash in the middle leaves what is
   * durable by then; the next start goes on from there.
   */
  close(): Promise<void>
}
