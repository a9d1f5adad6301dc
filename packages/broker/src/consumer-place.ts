/**
 * Where a group of RocketMQ's clients stands: a watermark that its consumers overwrite as they
 * please, never with settled offsets above it.
 */
import { type Draft, type QueueOffset, queueOffset } from '@sagalog/kernel'
import { ResponseCode } from '@sagalog/protocol'
import { admitName, admitNewGroup } from './admit.js'
import type { Core, Refusal } from './core.js'
import { admitAssigned } from './group-kind.js'
import type { GroupQueueName } from './folds/resets.js'
import { placeDraft } from './records/facts.js'

/** Why the group can't have a place in this queue that its clients overwrite, if so. */
export function admitPlace(core: Core, queue: GroupQueueName): Refusal | undefined {
  return (
    admitAssigned(core, queue.group) ?? admitNewGroup(core, queue.group) ?? admitQueue(core, queue)
  )
}

/** Why no group can have a place in this queue, if so. */
export function admitQueue(
  core: Core,
  { group, queueId, topic }: GroupQueueName,
): Refusal | undefined {
  const problem = admitName('group', group)
  if (problem !== undefined) return problem
  const found = core.state.topics.get(topic)
  if (found === undefined) {
    return { code: ResponseCode.TOPIC_NOT_EXIST, remark: `Topic ${topic} not exist!` }
  }
  if (queueId >= 0 && queueId < found.readQueues) return undefined
  const remark = `queueId[${queueId}] is illegal, topic:[${topic}] topicConfig.readQueueNums:[${found.readQueues}]`
  return { code: ResponseCode.INVALID_PARAMETER, remark }
}

/** The record that moves the place; none when it stands there, or is being reset. */
export function placeDrafts(core: Core, queue: GroupQueueName, offset: QueueOffset): Draft[] {
  if (core.state.resets.get(queue) !== undefined) return []
  const place = core.state.places.get(queue.group, queue.topic, queue.queueId)
  if (place?.watermark === offset) return []
  return [placeDraft({ ...queue, watermark: offset, settled: [] })]
}

/**
 * The offset as far as the queue goes: a client's may be of a queue that was longer once, or of
 * messages that were let go.
 */
export function withinQueue(core: Core, queue: GroupQueueName, offset: number): QueueOffset {
  const first = core.state.queues.firstOffset(queue.topic, queue.queueId)
  const next = core.state.queues.nextOffset(queue.topic, queue.queueId)
  return queueOffset(Math.min(Math.max(first, offset), next))
}
