/**
 * When the worker is killed, fixed by the seed: at which progress, how much later, whether between
 * a durable half and its book entry, and whether the checkpoints are deleted before the restart.
 */
import { below, type Random } from '@sagalog/kernel'

export interface PlannedKill {
  /** Ended orders in the whole run from which on the kill may come. */
  readonly atEnded: number
  /** Milliseconds between reaching that progress and the kill. */
  readonly delayMs: number
  /** The kill waits until a durable half is held before its book entry. */
  readonly isBeforeBook: boolean
  readonly dropsCheckpoints: boolean
}

const DELAY_MS_MAX = 40
/** Kills are planned below this share of the orders, so that work is pending at the last one. */
const LAST_SHARE = 0.85

/** `kills` kills in ascending progress, every fourth one before a book entry. */
export function planKills(random: Random, kills: number, orders: number): readonly PlannedKill[] {
  const plan: PlannedKill[] = []
  const slice = (orders * LAST_SHARE) / Math.max(kills, 1)
  for (let k = 0; k < kills; k += 1) {
    plan.push({
      atEnded: Math.floor(slice * k + (below(random, 1_000) / 1_000) * slice),
      delayMs: below(random, DELAY_MS_MAX),
      isBeforeBook: k % 4 === 3,
      dropsCheckpoints: k % 2 === 1,
    })
  }
  return plan
}
