/** Every bound of the package, with the relations that must hold between them. */
import { assert } from '@sagalog/kernel'

/** Frames start at multiples of this, so that recovery can look for them. */
export const FRAME_ALIGN_BYTES = 8

export const SEGMENT_BYTES_DEFAULT = 64 << 20
export const SEGMENT_BYTES_MIN = 512
/** A place inside a segment fits 32 bits with a sign. */
export const SEGMENT_BYTES_MAX = 1 << 30

export const CACHE_BYTES_DEFAULT = 8 << 20
export const IN_FLIGHT_BYTES_MAX_DEFAULT = 8 << 20

/** Memory that gathers frames comes in pieces of at most this. */
export const SLAB_BYTES_MAX = 1 << 20

/**
 * Slabs of large segments are cut from memory that comes in one piece of this many bytes. The
 * allocator gives so large a piece back to the system as soon as it is free; of smaller ones it
 * keeps what the garbage between two collections took. Only the bytes that are used count.
 */
export const ARENA_BYTES = 33 << 20

/** So many bytes that wait are enough for a write; fewer wait for the end of the turn. */
export const WRITE_AT_ONCE_BYTES = 64 << 10

/** The disk is read in blocks of at least this. */
export const READ_BLOCK_BYTES = 256 << 10

/** Blocks that are kept after a reader asked for more than a record, in case it goes on. */
export const READ_BLOCKS_KEPT = 8

/** A single record is read with this many bytes first: most records need no second read. */
export const READ_RECORD_BYTES = 4 << 10

/** Records of one request that stand at most so far apart are read together. */
export const RUN_GAP_BYTES_MAX = 4 << 10

/** Records at many positions come in portions of about so many bytes, or of so many reads. */
export const READ_MANY_BYTES = 1 << 20
export const READ_MANY_RUNS = 64

/** Records that stand alone are read by blocks of this; so many of the last used are kept. */
export const KEPT_BLOCK_BYTES = 16 << 10
export const KEPT_BLOCKS_MAX = 256

/** A scan hands records over in slices of about this many, so that the event loop gets its turn. */
export const SCAN_SLICE_RECORDS = 1024

/** A range of frames has about this many bytes, unless it is asked for otherwise. */
export const RANGE_BYTES_DEFAULT = 1 << 20

/** After this long without appends the tail is proven by an empty frame. */
export const IDLE_MS = 1000

/** `os` and `memory`: written bytes are synced at the latest after this long. */
export const SYNC_BEHIND_MS = 500

/** After the disk had no space, a segment is tried again after this long. */
export const PREPARE_RETRY_MS = 500

/** Files of retired segments that wait for their next use; one more than this is removed. */
export const SPARES_KEPT = 1

/**
 * Closed segments are checked in slices of this many bytes, so that the event loop gets its turn.
 */
export const CHECK_SLICE_BYTES = 256 << 10

/** At most so many bytes of closed segments are checked a second, unless a scrub asks for more. */
export const CHECK_BYTES_PER_SECOND = 64 << 20

/** A backup reads and writes in blocks of this. */
export const COPY_BLOCK_BYTES = 1 << 20

/** A directory that is in use is tried again after this long, while somebody waits for it. */
export const LOCK_RETRY_MS = 50

/** A rewritten segment is written in blocks of about this many bytes. */
export const REWRITE_BLOCK_BYTES = 1 << 20

/** A restatement appends about this much at once. */
export const RESTATE_SLICE_BYTES = 64 << 10
export const RESTATE_SLICE_DRAFTS = 256

/**
 * A checkpoint takes this much of the folds before the event loop gets its turn: as many chunks, or
 * as many bytes of them.
 */
export const SAVE_SLICE_CHUNKS = 64
export const SAVE_SLICE_BYTES = 32 << 10

/** Entries of a saved map that are taken at once. */
export const SAVE_SLICE_ENTRIES = 256

/** A checkpoint is written and read in blocks of about this many bytes. */
export const CHECKPOINT_BLOCK_BYTES = 64 << 10

/** Checkpoints kept: the newest, and one before it in case the newest does not read. */
export const CHECKPOINTS_KEPT = 2

assert(SEGMENT_BYTES_MIN % FRAME_ALIGN_BYTES === 0, 'a segment is made of whole alignments')
assert(SLAB_BYTES_MAX <= IN_FLIGHT_BYTES_MAX_DEFAULT, 'a slab can be in flight')
assert(IN_FLIGHT_BYTES_MAX_DEFAULT <= CACHE_BYTES_DEFAULT, 'what is in flight can be cached')
