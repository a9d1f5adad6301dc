/**
 * Where groups stand, for whoever operates the broker: lag by queue, dead letters, who is connected
 * and what a topic is to them. Computed from the folds when it is asked for; nothing here is kept.
 */
import { queueOffset } from '@sagalog/kernel'
import {
  DLQ_GROUP_TOPIC_PREFIX,
  deadLetterOperators,
  deadLetterTopic,
  type GroupKind,
  type GroupMember,
  type GroupQueueStanding,
  storedStoreTimestampMs,
  type TopicReader,
} from '@sagalog/protocol'
import type { Core } from './core.js'
import type { Place } from './folds/places.js'
import { placeOwner } from './members.js'
import { storedMessageStart } from './records/event-record.js'

export interface Standing extends GroupQueueStanding {
  readonly group: string
}

function standingOf(core: Core, place: Place): Standing {
  const { queueId, settled, topic, watermark } = place
  const { group, instance = core.members.holder(group, topic, queueId)?.member.instance } =
    placeOwner(place.group)
  const maxOffset = queueOffset(core.state.queues.nextOffset(topic, queueId))
  return {
    group,
    topic,
    queueId,
    ...(instance === undefined ? {} : { instance }),
    watermark,
    settledAbove: settled.size,
    maxOffset,
    lag: Math.max(0, maxOffset - watermark - settled.size),
  }
}

/** All places in topics that are there. */
export function* standings(core: Core): Generator<Standing, void> {
  for (const place of core.state.places.all())
    if (core.state.topics.get(place.topic) !== undefined) yield standingOf(core, place)
}

/** The names of all groups that stand somewhere or are connected, sorted. */
export function groupNames(core: Core): string[] {
  const names = new Set([...core.members.names(), ...core.assigned.names()])
  for (const { group } of core.state.places.all()) names.add(placeOwner(group).group)
  return [...names].sort()
}

/** Of RocketMQ's clients is what has places or clients and never had a lease. */
export function groupKind(core: Core, group: string): GroupKind {
  const { leases, places } = core.state
  const isAssigned = core.assigned.has(group) || places.holds(group)
  return isAssigned && !leases.holds(group) ? 'assigned' : 'leased'
}

/** The consumers that are connected. */
export function groupMembers(core: Core, group: string): GroupMember[] {
  const leased = [...core.members.membersOf(group)].map(({ instance, mode, topics }) => ({
    instance,
    mode,
    topics: [...topics],
  }))
  return [...leased, ...core.assigned.members(group)]
}

/** Dead letters of the group that are neither sent again nor discarded. */
export function deadLetterCount(core: Core, group: string): number {
  const topic = deadLetterTopic(group)
  const queues = core.state.topics.get(topic)?.readQueues ?? 0
  let count = 0
  for (let queueId = 0; queueId < queues; queueId += 1) {
    const place = core.state.places.get(deadLetterOperators(group), topic, queueId)
    const first = core.state.queues.firstOffset(topic, queueId)
    const done = place === undefined ? first : place.watermark + place.settled.size
    count += core.state.queues.nextOffset(topic, queueId) - done
  }
  return count
}

/** The groups that read the topic or have something left in it, by their names. */
export function topicReaders(core: Core, topic: string): TopicReader[] {
  const lags = new Map<string, number>()
  for (const { group, lag, topic: of } of standings(core))
    if (of === topic) lags.set(group, (lags.get(group) ?? 0) + lag)
  const live = new Set(
    [...core.members.names(), ...core.assigned.names()].filter((group) =>
      groupMembers(core, group).some(({ topics }) => topics.includes(topic)),
    ),
  )
  for (const group of live) if (!lags.has(group)) lags.set(group, 0)
  if (topic.startsWith(DLQ_GROUP_TOPIC_PREFIX)) {
    const group = topic.slice(DLQ_GROUP_TOPIC_PREFIX.length)
    const letters = deadLetterCount(core, group)
    if (letters > 0) lags.set(group, letters)
  }
  return [...lags]
    .map(([group, lag]) => ({ group, lag, isLive: live.has(group) }))
    .sort((left, right) => (left.group < right.group ? -1 : 1))
}

/** When the message at an offset was stored, by the wall clock; undefined when it is not there. */
export async function storedAt(
  core: Core,
  { offset, queueId, topic }: { topic: string; queueId: number; offset: number },
): Promise<number | undefined> {
  const positions = core.state.queues.find(topic, queueId)?.positions
  if (positions === undefined || offset < positions.start || offset >= positions.length)
    return undefined
  const at = positions.at(offset)
  try {
    const record = core.log.peek(at) ?? (await core.log.read(at))
    return storedStoreTimestampMs(record.source, storedMessageStart(record))
  } catch (error) {
    // It was let go meanwhile.
    if (offset < positions.start) return undefined
    throw error
  }
}
