/** How long to wait before trying again: doubling, bounded, with half of it left to chance. */
import { below, type Random } from '@sagalog/kernel'

export interface BackoffRange {
  readonly minMs: number
  readonly maxMs: number
}

/** Milliseconds before try `tries` + 1; chance keeps many clients from coming back at once. */
export function backoffMs(random: Random, tries: number, range: BackoffRange): number {
  const fullMs = Math.min(range.maxMs, range.minMs * 2 ** Math.min(tries, 30))
  const halfMs = fullMs / 2
  return halfMs + below(random, Math.ceil(halfMs) + 1)
}
