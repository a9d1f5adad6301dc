/**
 * DELETE_TOPIC: nobody finds, reads or fills the topic any more. Its messages stay in the log, and
 * the places of groups with them: made again, the topic has both. While something is on its way to
 * it (a timer, a half message) it is kept unless forced; what then comes still gets its place.
 */
import { type DeleteTopicRequest, ResponseCode } from '@sagalog/protocol'
import { type Call, refused } from '../core.js'
import { topicReaders } from '../group-standing.js'
import { topicDraft } from '../records/facts.js'
import type { Decision } from '../sequence.js'

export function deleteTopic(call: Call, request: DeleteTopicRequest): void {
  call.sequence(() => decide(call, request))
}

function decide(call: Call, { isForced, topic: name }: DeleteTopicRequest): Decision {
  const topic = call.core.state.topics.get(name)
  if (topic === undefined) {
    const remark = `topic[${name}] not exist, so it can't be deleted`
    return refused(call, { code: ResponseCode.TOPIC_NOT_EXIST, remark })
  }
  // Streams point into it: they are deleted one by one.
  if (topic.kind === 'event') {
    const remark = `the topic[${name}] holds events; delete or archive its streams instead`
    return refused(call, { code: ResponseCode.INVALID_PARAMETER, remark })
  }
  const neededBy = topicReaders(call.core, name).filter(
    ({ isLive, lag }) => isLive || (lag > 0 && !isForced),
  )
  const { halves, timers } = call.core.state
  const coming = { timers: timers.countOf(name), halves: halves.countOf(name) }
  const comes = coming.timers + coming.halves > 0
  const isDeleted = neededBy.length === 0 && (isForced || !comes)
  return {
    drafts: isDeleted ? [topicDraft({ ...topic, readQueues: 0, writeQueues: 0, perm: 0 })] : [],
    applied: (end) => call.answer({ isDeleted, neededBy, ...coming }, end),
  }
}
