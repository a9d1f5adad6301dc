/** CREATE_TOPIC: makes a topic or changes its queues; the same request twice changes nothing. */
import { type CreateTopicRequest, nothing, ResponseCode } from '@sagalog/protocol'
import { admitNewTopic, admitTopic } from '../admit.js'
import { type Call, refused } from '../core.js'
import { topicDraft, type TopicFact } from '../records/facts.js'
import type { Decision } from '../sequence.js'

export function createTopic(call: Call, request: CreateTopicRequest): void {
  call.sequence(() => decide(call, request))
}

function decide(call: Call, request: CreateTopicRequest): Decision {
  const problem = admitTopic(call.core, request)
  if (problem !== undefined) return refused(call, problem)
  const known = call.core.state.topics.get(request.topic)
  const fact: TopicFact = {
    name: request.topic,
    kind: request.kind,
    readQueues: request.readQueues,
    writeQueues: request.writeQueues,
    perm: request.perm,
  }
  const answer = (end: Parameters<Decision['applied']>[0]): void => call.answer(nothing, end)
  if (known !== undefined && isSame(known, fact)) return { drafts: [], applied: answer }
  // Streams and keys are placed by the number of queues: changing it would tear them apart.
  if (known?.kind === 'event' || (known !== undefined && known.kind !== fact.kind)) {
    const remark = `the topic[${fact.name}] exists as a topic of ${known.kind}s with ${known.writeQueues} queues, which can't be changed`
    return refused(call, { code: ResponseCode.INVALID_PARAMETER, remark })
  }
  if (fact.kind === 'event' && call.core.state.topics.wasDeleted(fact.name)) {
    const remark = `the topic[${fact.name}] was deleted with messages in it; take another name for events`
    return refused(call, { code: ResponseCode.INVALID_PARAMETER, remark })
  }
  const noRoom = admitNewTopic(call.core, fact.name)
  if (noRoom !== undefined) return refused(call, noRoom)
  return { drafts: [topicDraft(fact)], applied: answer }
}

function isSame(known: TopicFact, wanted: TopicFact): boolean {
  return (
    known.kind === wanted.kind &&
    known.readQueues === wanted.readQueues &&
    known.writeQueues === wanted.writeQueues &&
    known.perm === wanted.perm
  )
}
