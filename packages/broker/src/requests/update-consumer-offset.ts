/** UPDATE_CONSUMER_OFFSET: a client of RocketMQ says how far its group is in a queue. */
import { nothing, type UpdateConsumerOffsetRequest } from '@sagalog/protocol'
import { type Call, refused } from '../core.js'
import { admitPlace, placeDrafts, withinQueue } from '../consumer-place.js'

export function updateConsumerOffset(call: Call, request: UpdateConsumerOffsetRequest): void {
  const { core } = call
  const { commitOffset, consumerGroup: group, queueId, topic } = request
  const queue = { group, topic, queueId }
  call.sequence(() => {
    const problem = admitPlace(core, queue)
    if (problem !== undefined) return refused(call, problem)
    const drafts = placeDrafts(core, queue, withinQueue(core, queue, commitOffset))
    return { drafts, applied: (end) => call.answer(nothing, end) }
  })
}
