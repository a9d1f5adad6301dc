/** What a round shorter than a second takes less of, so that a trial run is quick. */

const FULL_ROUND_MS = 1000
const MIB = 1 << 20

/** All of `whole` in a full round. */
export const scaled = (whole: number, durationMs: number): number =>
  Math.ceil(whole * Math.min(1, (durationMs / FULL_ROUND_MS) ** 2))

/** Bytes of a segment, and of the bare loop's file: as in a new log, in a full round. */
export const segmentBytesFor = (durationMs: number): number =>
  durationMs < FULL_ROUND_MS / 5 ? 4 * MIB : 64 * MIB
