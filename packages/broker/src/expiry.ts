/**
 * Decides which messages are let go: by the age and the bytes of the log, and by what the groups
 * have not settled. Reads the folds and changes nothing; `retention.ts` carries it out.
 * Invariant: below the cap, and unless the policy says otherwise, nothing goes that a group which
 * stands in its topic has not settled.
 */
import { position, type Position, type QueueOffset, queueOffset } from '@sagalog/kernel'
import type { SegmentFacts } from '@sagalog/log-core'
import {
  deadLetterOperators,
  DLQ_GROUP_TOPIC_PREFIX,
  RETRY_GROUP_TOPIC_PREFIX,
} from '@sagalog/protocol'
import type { Core } from './core.js'
import type { Place } from './folds/places.js'
import { countBelow } from './folds/position-list.js'
import type { Queue } from './folds/queues.js'
import { placeOwner } from './members.js'
import type { RetentionSettings } from './options.js'
import type { HeldUp, PassedOver } from './retention-account.js'

/** Positions: what stands below is old, or over the cap. */
export interface ExpiryBounds {
  readonly old: Position
  readonly overCap: Position
}

/** From the closed segments, oldest first: only whole segments are old. */
export function expiryBounds(
  { closed, openBytes }: { closed: readonly SegmentFacts[]; openBytes: number },
  policy: Pick<RetentionSettings, 'maxAgeMs' | 'maxBytes' | 'capBytes'>,
  nowMs: number,
): ExpiryBounds {
  const { capBytes = Infinity, maxAgeMs = Infinity, maxBytes = Infinity } = policy
  let bytesFrom = closed.reduce((sum, { bytes }) => sum + bytes, openBytes)
  let old: Position | undefined
  let overCap: Position | undefined
  let isOld = true
  for (const { base, bytes, closedMs, end } of closed) {
    old ??= base
    overCap ??= base
    const ageMs = closedMs === undefined ? 0 : nowMs - closedMs
    isOld &&= ageMs >= maxAgeMs || bytesFrom > maxBytes
    if (isOld) old = end
    if (bytesFrom > capBytes) overCap = end
    bytesFrom -= bytes
  }
  return { old: old ?? position(0), overCap: overCap ?? position(0) }
}

/** What becomes of one queue. */
export interface Expiry {
  readonly queue: Queue
  /** The first offset that it keeps; nothing changes when it is where it starts already. */
  readonly first: QueueOffset
  /** How many messages it loses. */
  readonly letGo: number
  /** The places that are moved, and where to. */
  readonly moved: readonly MovedPlace[]
  /** Who keeps messages that are old. */
  readonly heldUp: HeldUp | undefined
}

export interface MovedPlace {
  readonly place: Place
  readonly watermark: QueueOffset
  readonly settled: readonly QueueOffset[]
  readonly passedOver: PassedOver
  /** It was over the cap, not by its age. */
  readonly isOverCap: boolean
}

/** Who stands in each topic, by the names of places. */
export type Standers = ReadonlyMap<string, ReadonlySet<string>>

export function standersOf(core: Core): Standers {
  const standers = new Map<string, Set<string>>()
  const add = (topic: string, group: string): void => {
    const known = standers.get(topic)
    if (known === undefined) standers.set(topic, new Set([group]))
    else known.add(group)
  }
  for (const { group, topic } of core.state.places.all()) add(topic, group)
  // What comes again, and what waits for a person, is its group's before anybody stands there.
  for (const { name } of core.state.topics.all()) {
    if (name.startsWith(RETRY_GROUP_TOPIC_PREFIX))
      add(name, name.slice(RETRY_GROUP_TOPIC_PREFIX.length))
    if (name.startsWith(DLQ_GROUP_TOPIC_PREFIX))
      add(name, deadLetterOperators(name.slice(DLQ_GROUP_TOPIC_PREFIX.length)))
  }
  return standers
}

/** Undefined for a queue that never lets messages go. */
export function expiryOf(
  core: Core,
  queue: Queue,
  { bounds, standers }: { bounds: ExpiryBounds; standers: Standers },
): Expiry | undefined {
  const { positions, queueId, topic } = queue
  const fact = core.state.topics.get(topic)
  if (fact?.kind === 'event') return undefined
  const start = queueOffset(positions.start)
  const old = queueOffset(countBelow(positions, bounds.old))
  const overCap = queueOffset(countBelow(positions, bounds.overCap))
  // Nobody reads a topic that was deleted; made again, it has what is left.
  const groups = fact === undefined ? [] : (standers.get(topic) ?? [])
  const needed =
    core.settings.retention.unread === 'keep' ? neededBy(core, queue, groups) : undefined
  const kept = needed === undefined || needed.offset >= old ? old : needed.offset
  const first = queueOffset(Math.max(start, kept, overCap))
  const moved: MovedPlace[] = []
  for (const group of first > start ? groups : []) {
    const place = core.state.places.get(group, topic, queueId)
    if (place !== undefined && place.watermark < first)
      moved.push({ ...movedTo(place, first), isOverCap: overCap > kept })
  }
  const heldUp = needed !== undefined && needed.offset < old && first < old ? needed : undefined
  return { queue, first, letGo: first - start, moved, heldUp }
}

/** Who stands lowest in the queue; who has no place there yet begins at its start. */
function neededBy(
  core: Core,
  { positions, queueId, topic }: Queue,
  groups: Iterable<string>,
): HeldUp | undefined {
  let lowest: HeldUp | undefined
  for (const name of groups) {
    const place = core.state.places.get(name, topic, queueId)
    const offset = place?.watermark ?? queueOffset(positions.start)
    if (lowest !== undefined && offset >= lowest.offset) continue
    lowest = { group: placeOwner(name).group, topic, queueId, offset }
  }
  return lowest
}

function movedTo(place: Place, first: QueueOffset): Omit<MovedPlace, 'isOverCap'> {
  const { queueId, topic, watermark: from } = place
  const settled = [...place.settled].sort((left, right) => left - right)
  const above = new Set(settled.filter((offset) => offset >= first))
  const messages = first - from - (settled.length - above.size)
  let to = first
  while (above.delete(to)) to = queueOffset(to + 1)
  const { group } = placeOwner(place.group)
  return {
    place,
    watermark: to,
    settled: [...above],
    passedOver: { group, topic, queueId, from, to, messages },
  }
}
