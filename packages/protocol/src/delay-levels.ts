/** RocketMQ's delay levels. A level above the last one is the last one. */

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** Level 1 is the first; RocketMQ's `messageDelayLevel` as it ships. */
export const DELAY_LEVELS_MS: readonly number[] = [
  ...[1, 5, 10, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2].map((hours) => hours * HOUR),
]

/** What a retry waits when nobody says: the n-th retry waits level 2 + n. */
export const RETRY_LEVEL_BASE = 3

/** Milliseconds; 0 for level 0. */
export function delayLevelMs(level: number): number {
  return DELAY_LEVELS_MS[Math.min(level, DELAY_LEVELS_MS.length) - 1] ?? 0
}
