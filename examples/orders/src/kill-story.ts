/**
 * What the kills of a run have shown so far, over all starts of the parent, and what of it the
 * audit may demand. Pure data: it is kept in the run's record after each kill, so a parent that is
 * killed itself loses none of it. Invariant: only what could be reached is demanded.
 */
import * as t from 'io-ts'
import type { Kills } from './audit/evidence.js'
import type { PlannedKill } from './kill-plan.js'

export const KillStory = t.type({
  /** Asked for on the command line. */
  kills: t.number,
  seed: t.number,
  /** The wall clock's time of each kill. */
  madeAtMs: t.array(t.number),
  /** Kills that had to hit pending work, and kills that did. */
  pendingDemanded: t.number,
  withWorkPending: t.number,
  /** Kills that had to hold a half before its book entry, and kills that did. */
  strandsDemanded: t.number,
  strandedHalves: t.number,
  /** Deletions that had to find a checkpoint, and the checkpoints that were deleted. */
  deletionsDemanded: t.number,
  checkpointsDeleted: t.number,
})
export type KillStory = t.TypeOf<typeof KillStory>

/** The story of a run that had no kill yet. */
export function newStory(kills: number, seed: number): KillStory {
  const demanded = { pendingDemanded: 0, strandsDemanded: 0, deletionsDemanded: 0 }
  const found = { withWorkPending: 0, strandedHalves: 0, checkpointsDeleted: 0 }
  return { kills, seed, madeAtMs: [], ...demanded, ...found }
}

/** One life of the worker, as its parent saw it. */
export interface LifeSeen {
  readonly kill: PlannedKill
  /** Undefined when the worker came to its end before the kill. */
  readonly killedAtMs: number | undefined
  readonly orders: number
  /** Orders whose end the parent had read when the worker was gone. */
  readonly ended: number
  readonly wasHolding: boolean
  /** When the kill's progress was reached there were surely orders left to be placed. */
  readonly couldHold: boolean
  /** Bytes that all lives together have written to the log at least. */
  readonly logBytes: number
  readonly checkpointBytes: number
  readonly checkpointsDeleted: number
}

/** With fewer orders left when it is due, a kill can come after the last of them has ended. */
const ORDERS_PENDING_MIN = 100
/** So much of the log must have been written that a checkpoint is there for certain. */
const CHECKPOINTS_DUE = 4

/** The story with one more life. */
export function afterLife(story: KillStory, life: LifeSeen): KillStory {
  const { kill, orders } = life
  const wasKilled = life.killedAtMs !== undefined
  const hitPending = wasKilled && life.ended < orders
  const hadRoom = orders - kill.atEnded >= ORDERS_PENDING_MIN
  const wasHolding = wasKilled && life.wasHolding
  const isDeletion = wasKilled && kill.dropsCheckpoints
  const wasDue = life.logBytes >= CHECKPOINTS_DUE * life.checkpointBytes
  const count = (is: boolean): number => (is ? 1 : 0)
  return {
    ...story,
    madeAtMs: [...story.madeAtMs, ...(life.killedAtMs === undefined ? [] : [life.killedAtMs])],
    pendingDemanded: story.pendingDemanded + count(hitPending || hadRoom),
    withWorkPending: story.withWorkPending + count(hitPending),
    strandsDemanded: story.strandsDemanded + count(kill.isBeforeBook && life.couldHold),
    strandedHalves: story.strandedHalves + count(wasHolding),
    deletionsDemanded: story.deletionsDemanded + count(isDeletion && wasDue),
    checkpointsDeleted: story.checkpointsDeleted + life.checkpointsDeleted,
  }
}

/** What the audit is to expect and what it finds. */
export function killsOf(story: KillStory): Kills {
  const { pendingDemanded, withWorkPending, strandsDemanded, strandedHalves } = story
  const { deletionsDemanded, checkpointsDeleted } = story
  return {
    planned: pendingDemanded,
    withWorkPending,
    strandsDemanded,
    strandedHalves,
    deletionsDemanded,
    checkpointsDeleted,
  }
}

/** `3 kills (seed 7)`, or `1 of 3 kills (seed 7)` when the work was over before the others. */
export function killsText({ kills, seed, madeAtMs }: KillStory): string {
  const made = madeAtMs.length === kills ? '' : `${madeAtMs.length} of `
  return `${made}${kills} kills (seed ${seed})`
}
