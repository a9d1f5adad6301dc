/** LIST_TOPICS: the topics that are there, by their names. */
import type { ListTopicsRequest, TopicSummary } from '@sagalog/protocol'
import { admitNumbers, COUNT } from '../admit.js'
import type { Call, Core } from '../core.js'
import { LIST_NAMES_MAX } from '../limits.js'
import type { TopicFact } from '../records/facts.js'

export function listTopics(call: Call, request: ListTopicsRequest): void {
  const { core } = call
  const { after, maxTopics } = request
  const problem = admitNumbers({ maxTopics }, COUNT)
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  const behind = [...core.state.topics.all()]
    .filter(({ name }) => name > after)
    .sort((left, right) => (left.name < right.name ? -1 : 1))
  const page = behind.slice(0, Math.min(maxTopics, LIST_NAMES_MAX))
  const answer = {
    topics: page.map((topic) => summaryOf(core, topic)),
    hasMore: page.length < behind.length,
  }
  // It tells of the sequenced state, so it waits for all of it.
  call.answer(answer, core.log.watermark('memory'))
}

export function summaryOf(core: Core, topic: TopicFact): TopicSummary {
  const { kind, name, perm, readQueues, writeQueues } = topic
  let messages = 0
  for (let queueId = 0; queueId < Math.max(readQueues, writeQueues); queueId += 1)
    messages += core.state.queues.nextOffset(name, queueId)
  return { topic: name, kind, readQueues, writeQueues, perm, messages }
}
