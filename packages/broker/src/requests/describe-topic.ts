/** DESCRIBE_TOPIC: a topic with the ends and times of its queues, and the groups that read it. */
import { queueOffset } from '@sagalog/kernel'
import { type DescribeTopicRequest, ResponseCode, type TopicQueue } from '@sagalog/protocol'
import type { Call, Core } from '../core.js'
import { storedAt, topicReaders } from '../group-standing.js'
import type { TopicFact } from '../records/facts.js'
import { summaryOf } from './list-topics.js'

export function describeTopic(call: Call, request: DescribeTopicRequest): void {
  const { core } = call
  const topic = core.state.topics.get(request.topic)
  if (topic === undefined) {
    const remark = `topic[${request.topic}] not exist, apply first please!`
    call.refuse({ code: ResponseCode.TOPIC_NOT_EXIST, remark })
    return
  }
  const known = { ...summaryOf(core, topic), groups: topicReaders(core, topic.name) }
  queuesOf(core, topic).then(
    // Reading takes turns; the answer takes its place among those of other requests.
    (queues) =>
      call.sequence(() => ({
        drafts: [],
        applied: (end) => call.answer({ ...known, queues }, end),
      })),
    (error: unknown) => call.fail(error),
  )
}

async function queuesOf(core: Core, { name, readQueues }: TopicFact): Promise<TopicQueue[]> {
  const queues: TopicQueue[] = []
  for (let queueId = 0; queueId < readQueues; queueId += 1) {
    const maxOffset = queueOffset(core.state.queues.nextOffset(name, queueId))
    const queue = { topic: name, queueId }
    const minOffset = queueOffset(core.state.queues.firstOffset(name, queueId))
    const firstStoredAtMs = await storedAt(core, { ...queue, offset: minOffset })
    const lastStoredAtMs = await storedAt(core, { ...queue, offset: maxOffset - 1 })
    const isEmpty = firstStoredAtMs === undefined || lastStoredAtMs === undefined
    queues.push({
      queueId,
      minOffset,
      maxOffset,
      ...(isEmpty ? {} : { firstStoredAtMs, lastStoredAtMs }),
    })
  }
  return queues
}
