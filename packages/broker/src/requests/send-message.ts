/**
 * SEND_MESSAGE: a message gets its place in a queue, or, as a half message, a place in the log
 * only. The answer leaves when the log is safe up to it.
 */
import { type Draft, queueOffset } from '@sagalog/kernel'
import {
  offsetId,
  propertyOf,
  ResponseCode,
  type SendMessageRequest,
  type SendMessageResponse,
} from '@sagalog/protocol'
import { admitMessage, admitNumbers, COUNT, INT32, writableTopic } from '../admit.js'
import { type Call, type Core, refused } from '../core.js'
import { chooseQueue, type Content, halfDraft, messageDraft, Placement } from '../messages.js'
import { topicDraft, type TopicFact } from '../records/facts.js'
import type { Decision } from '../sequence.js'

const PERM_READ_WRITE = 6
const SYS_FLAG_PREPARED = 0x4

export function sendMessage(call: Call, request: SendMessageRequest): void {
  const { bornTimestampMs, flag, queueId, reconsumeTimes, sysFlag } = request
  const sizes = {
    topic: request.topic,
    bodyBytes: request.body.length,
    propertiesBytes: Buffer.byteLength(request.properties),
  }
  const problem =
    admitMessage(call.core, sizes) ??
    admitNumbers({ flag, queueId, reconsumeTimes, sysFlag }, INT32) ??
    admitNumbers({ bornTimestampMs }, COUNT)
  if (problem !== undefined) call.refuse(problem)
  else call.sequence(() => decide(call, request))
}

function decide(call: Call, request: SendMessageRequest): Decision {
  const { core } = call
  const made = autoCreated(core, request.topic)
  const found = made === undefined ? writableTopic(core, request.topic, 'message') : { topic: made }
  if ('refusal' in found) return refused(call, found.refusal)
  const { topic } = found
  if (request.queueId >= topic.writeQueues) {
    const remark = `request queueId[${request.queueId}] is illegal, topic[${topic.name}] has ${topic.writeQueues} write queues`
    return refused(call, { code: ResponseCode.INVALID_PARAMETER, remark })
  }
  const shardingKey = propertyOf(request.properties, '__SHARDINGKEY')
  const queueId = request.queueId < 0 ? chooseQueue(core, topic, shardingKey) : request.queueId
  const content: Content = { ...request, queueId }
  const drafts: Draft[] = made === undefined ? [] : [topicDraft(made)]
  const isHalf = (request.sysFlag & SYS_FLAG_PREPARED) !== 0
  const offset = new Placement(core.state.queues).next(topic.name, queueId)
  drafts.push(isHalf ? halfDraft(core, content) : messageDraft(core, content, offset))
  return {
    drafts,
    applied(end, records) {
      const stored = records[records.length - 1]
      if (stored === undefined) return
      const transactionId = propertyOf(request.properties, 'UNIQ_KEY')
      const response: SendMessageResponse = {
        msgId: offsetId(core.settings.address, stored.position),
        queueId,
        queueOffset: isHalf ? queueOffset(stored.position) : offset,
        ...(transactionId === undefined ? {} : { transactionId }),
      }
      call.answer(response, end)
    },
  }
}

/** The topic that this send makes on its way, if it may. */
function autoCreated(core: Core, name: string): TopicFact | undefined {
  const { settings, state } = core
  if (!settings.autoCreateTopics || state.topics.get(name) !== undefined) return undefined
  const queues = settings.topicQueues
  return {
    name,
    kind: 'message',
    readQueues: queues,
    writeQueues: queues,
    perm: PERM_READ_WRITE,
  }
}
