/**
 * Decides what of the log may go, from facts alone: what is needed, what a policy wants to keep
 * though nobody needs it, and what it wants to let go though somebody does. Pure; `retention.ts`
 * carries it out.
 */
import { position, type Position } from '@sagalog/kernel'
import { lowestOf, type NeedRow } from './needs.js'

/** Bounds; without any, what is not needed goes at once. */
export interface RetentionPolicy {
  /** A closed segment stays at least so long, needed or not. Milliseconds. */
  readonly keepMs?: number
  /** The newest segments stay, up to so many bytes of files, needed or not. */
  readonly keepBytes?: number
  /** Above so many bytes of files the oldest go, though needs hold them that may be overruled. */
  readonly capBytes?: number
  /** Closed segments are rewritten when less than this part of the file must stay. Default 0.5. */
  readonly rewriteBelow?: number
}

export const REWRITE_BELOW_DEFAULT = 0.5

/** A closed segment. */
export interface SegmentFacts {
  readonly base: Position
  /** The next base. */
  readonly end: Position
  /** Of its file. */
  readonly bytes: number
  /** Wall clock; undefined when that is not known. */
  readonly closedMs: number | undefined
  readonly isSealed: boolean
}

export interface PlanInput {
  /** In order, without the current one. */
  readonly segments: readonly SegmentFacts[]
  /** Bytes of the files that are not closed. */
  readonly openBytes: number
  /** Facts and marks below it may go: a whole restatement stands behind them, durable. */
  readonly freeBelow: Position
  readonly needs: readonly NeedRow[]
  readonly nowMs: number
  readonly policy: RetentionPolicy
}

export interface RetentionPlan {
  /** The new start of the log: the base of the first segment that stays. */
  readonly start: Position
  /** Segments that may hold little that must stay, oldest first: worth a look. */
  readonly look: readonly PlannedLook[]
  /** Needs that are overruled by `start`. */
  readonly overruled: readonly string[]
}

export interface PlannedLook {
  readonly base: Position
  /** Only those who can not be overruled count. */
  readonly isOverCap: boolean
}

export function planRetention(input: PlanInput): RetentionPlan {
  const { segments, needs } = input
  let start = segments[0]?.base ?? position(0)
  const look: PlannedLook[] = []
  for (const [index, segment] of segments.entries()) {
    const isOverCap = bytesFrom(input, index) > (input.policy.capBytes ?? Number.MAX_SAFE_INTEGER)
    if (!mayGo(input, index, isOverCap)) continue
    const lowest = lowestOf(needs, isOverCap)
    if (segment.end > lowest.everything) continue
    const isUnneeded = segment.end <= lowest.bodies
    // The log has one start: what stands behind something that stays can only be rewritten.
    if (isUnneeded && segment.base === start) start = segment.end
    else if (segment.isSealed) look.push({ base: segment.base, isOverCap })
  }
  return { start, look, overruled: overruledBy(needs, start) }
}

/** Bytes of the segment and of all behind it. */
function bytesFrom({ segments, openBytes }: PlanInput, index: number): number {
  return segments.slice(index).reduce((sum, { bytes }) => sum + bytes, openBytes)
}

/** Facts in it are restated, and the policy does not keep it. */
function mayGo(input: PlanInput, index: number, isOverCap: boolean): boolean {
  const { segments, freeBelow, nowMs, policy } = input
  const segment = segments[index]
  if (segment === undefined || segment.end > freeBelow) return false
  if (isOverCap) return true
  const { keepMs, keepBytes = 0 } = policy
  const ageMs = segment.closedMs === undefined ? 0 : nowMs - segment.closedMs
  const isOldEnough = keepMs === undefined || ageMs >= keepMs
  return isOldEnough && bytesFrom(input, index + 1) >= keepBytes
}

export function overruledBy(needs: readonly NeedRow[], start: Position): readonly string[] {
  return needs
    .filter(({ mayBeOverruled, everythingFrom = start, bodiesFrom = start }) => {
      return mayBeOverruled && Math.min(everythingFrom, bodiesFrom) < start
    })
    .map(({ name }) => name)
}
