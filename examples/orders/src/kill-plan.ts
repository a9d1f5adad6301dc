/**
 * When the worker is killed, fixed by the seed: at which progress, how much later, whether between
 * a durable half and its book entry, and whether the checkpoints are deleted before the restart.
 * Pure. Invariant: every kill of a plan comes before the last order, as far as its delay allows.
 */
import { below, type Random } from '@sagalog/kernel'

export interface PlannedKill {
  /** Ended orders in the whole run from which on the kill may come. */
  readonly atEnded: number
  /** Milliseconds between reaching that progress and the kill. */
  readonly delayMs: number
  /** The kill waits until a durable half is held before its book entry. */
  readonly isBeforeBook: boolean
  /** When no half was held by this progress the kill comes anyway, while work is pending. */
  readonly givenUpAtEnded: number
  readonly dropsCheckpoints: boolean
}

export interface KillPlanOptions {
  /** How many the whole run shall have. */
  readonly kills: number
  /** How many it has had by now. */
  readonly made: number
  readonly orders: number
  /** Orders that have ended by now; the plan is over what is left. */
  readonly ended: number
}

const DELAY_MS_MAX = 40
/** Orders that end in a millisecond, at the most; the delay of a kill must leave some. */
const ORDERS_PER_MS = 4
/** Kills are planned below this share of what is left, so that work is pending at the last one. */
const LAST_SHARE = 0.85
const GIVEN_UP_SHARE = 0.93
/** With fewer orders left for each, a run that goes on gets fewer kills than it was to have. */
const ORDERS_PER_LATE_KILL = 60
/** Of eight restarts four find no checkpoint: one after a stranded half, and one of two is not. */
const DROPS_OF_EIGHT: ReadonlySet<number> = new Set([1, 2, 5, 7])

/** The kills that are left to make, in ascending progress, every fourth one before a book entry. */
export function planKills(random: Random, options: KillPlanOptions): readonly PlannedKill[] {
  const { kills, made, orders, ended } = options
  const left = orders - ended
  const room = ended === 0 ? kills : Math.floor(left / ORDERS_PER_LATE_KILL)
  const count = Math.max(0, Math.min(kills - made, room))
  const slice = (left * LAST_SHARE) / Math.max(count, 1)
  const plan: PlannedKill[] = []
  for (let index = 0; index < count; index += 1) {
    const k = made + index
    const atEnded = ended + Math.floor(slice * index + (below(random, 1_000) / 1_000) * slice)
    const delayMsMax = Math.min(DELAY_MS_MAX, Math.ceil((orders - atEnded) / ORDERS_PER_MS))
    plan.push({
      atEnded,
      delayMs: below(random, delayMsMax),
      isBeforeBook: k % 4 === 3,
      givenUpAtEnded: Math.max(atEnded, ended + Math.floor(left * GIVEN_UP_SHARE)),
      dropsCheckpoints: DROPS_OF_EIGHT.has(k % 8),
    })
  }
  return plan
}
