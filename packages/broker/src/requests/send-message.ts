/**
 * SEND_MESSAGE: a message gets its place in a queue, or, as a half message or a delayed one, a
 * place in the log only. The answer leaves when the log is safe up to it.
 */
import { type Draft, queueOffset } from '@sagalog/kernel'
import {
  deadLetterTopic,
  DLQ_GROUP_TOPIC_PREFIX,
  offsetId,
  propertyOf,
  ResponseCode,
  RETRY_GROUP_TOPIC_PREFIX,
  type SendHeader,
  type SendMessageRequest,
  type SendMessageResponse,
} from '@sagalog/protocol'
import { admitMessage, admitNewTopic, admitNumber, bytesBelow, COUNT, INT32 } from '../admit.js'
import { writableTopic } from '../admit.js'
import { type Call, type Core, type Refusal, refused } from '../core.js'
import { PROPERTIES_BYTES_MAX } from '../limits.js'
import { askedDelay } from '../asked-delay.js'
import {
  chooseQueue,
  delayedDraft,
  halfDraft,
  messageDraft,
  Placement,
  sentContent,
} from '../messages.js'
import { topicDraft, type TopicFact } from '../records/facts.js'
import { derivedTopic, RETRIES_MAX } from '../retry-topic.js'
import type { SendWindow } from '../folds/send-window.js'
import { numberedSend } from '../numbered-send.js'
import type { Decision } from '../sequence.js'

const PERM_READ_WRITE = 6
const SYS_FLAG_PREPARED = 0x4

export function sendMessage(call: Call, request: SendMessageRequest): void {
  const problem = admitSend(call.core, request, [request])
  if (problem !== undefined) call.refuse(problem)
  else call.sequence(() => decide(call, request), request.body.length)
}

/** Why these messages of one send can't be stored, if so. */
export function admitSend(
  core: Core,
  header: SendHeader,
  messages: readonly { flag: number; body: Buffer; properties: string }[],
): Refusal | undefined {
  const { topic } = header
  for (const { body, flag, properties } of messages) {
    const propertiesBytes = bytesBelow(PROPERTIES_BYTES_MAX, properties)
    const problem =
      admitMessage(core, { topic, bodyBytes: body.length, propertiesBytes }) ??
      admitNumber('flag', flag, INT32)
    if (problem !== undefined) return problem
  }
  return (
    admitNumber('queueId', header.queueId, INT32) ??
    admitNumber('reconsumeTimes', header.reconsumeTimes, INT32) ??
    admitNumber('sysFlag', header.sysFlag, INT32) ??
    admitNumber('bornTimestampMs', header.bornTimestampMs, COUNT)
  )
}

/** What a message to a retry topic becomes when its retries are used up. */
function redirected(core: Core, request: SendMessageRequest): SendMessageRequest {
  if (!request.topic.startsWith(RETRY_GROUP_TOPIC_PREFIX)) return request
  const group = request.topic.slice(RETRY_GROUP_TOPIC_PREFIX.length)
  const retriesMax = request.maxReconsumeTimes ?? RETRIES_MAX
  // An orderly consumer retries in place; what it sends here it has given up.
  const isOrderly = core.locks.holdsAny(group, core.clock.monotonicMs())
  if (!isOrderly && request.reconsumeTimes <= retriesMax) return request
  return { ...request, topic: deadLetterTopic(group), queueId: 0 }
}

function decide(call: Call, sent: SendMessageRequest): Decision {
  const { core } = call
  const numbered = numberedSend(core, sent, sent.properties)
  if ('refusal' in numbered) return refused(call, numbered.refusal)
  if ('window' in numbered) return repeated(call, sent, numbered)
  const request = redirected(core, sent)
  const found = sendTopic(core, request)
  if ('refusal' in found) return refused(call, found.refusal)
  const { made, queueId } = found
  const isHalf = (request.sysFlag & SYS_FLAG_PREPARED) !== 0
  const mayWait = request === sent && !isHalf
  const delay = mayWait ? askedDelay(request.properties, core.clock.wallMs()) : undefined
  if (delay !== undefined && 'invalid' in delay) {
    const remark = `timer message illegal, the delay in ${delay.invalid} can't be kept`
    return refused(call, { code: ResponseCode.MESSAGE_ILLEGAL, remark })
  }
  const content = sentContent(request, request, { queueId, bornHost: call.session.host })
  const drafts: Draft[] = [...numbered.facts]
  if (made !== undefined) drafts.push(topicDraft(made))
  const offset = new Placement(core.state.queues).next(request.topic, queueId)
  if (isHalf) drafts.push(halfDraft(core, content))
  else if (delay !== undefined) drafts.push(delayedDraft(core, delay, content))
  else drafts.push(messageDraft(core, content, offset))
  return {
    drafts,
    applied(end, records) {
      const stored = records[records.length - 1]
      if (stored === undefined) return
      const transactionId = propertyOf(request.properties, 'UNIQ_KEY')
      const msgId = offsetId(core.settings.address, stored.position)
      // What has no place in a queue yet is known by its position.
      const place = isHalf || delay !== undefined ? queueOffset(stored.position) : offset
      const response: SendMessageResponse =
        transactionId === undefined
          ? { msgId, queueId, queueOffset: place }
          : { msgId, queueId, queueOffset: place, transactionId }
      call.answer(response, end)
    },
  }
}

/** The answer that the first try of a send got, or would have got. */
function repeated(
  call: Call,
  { properties }: SendMessageRequest,
  { number, window }: { number: number; window: SendWindow },
): Decision {
  const stored = window.get(number)
  if (stored === undefined) return { drafts: [], applied: () => undefined }
  const transactionId = propertyOf(properties, 'UNIQ_KEY')
  const { queueId, queueOffset: offset } = stored
  const msgId = offsetId(call.core.settings.address, stored.position)
  const response = { msgId, queueId, queueOffset: offset }
  return {
    drafts: [],
    applied: (end) =>
      call.answer(transactionId === undefined ? response : { ...response, transactionId }, end),
  }
}

/** The queue of a send, and its topic when the send makes it on the way. */
export function sendTopic(
  core: Core,
  request: SendHeader,
): { made: TopicFact | undefined; queueId: number } | { refusal: Refusal } {
  const made = autoCreated(core, request.topic)
  const found = made === undefined ? writableTopic(core, request.topic, 'message') : { topic: made }
  if ('refusal' in found) return found
  const noRoom = made === undefined ? undefined : admitNewTopic(core, made.name)
  if (noRoom !== undefined) return { refusal: noRoom }
  const { topic } = found
  if (request.queueId >= topic.writeQueues) {
    const remark = `request queueId[${request.queueId}] is illegal, topic[${topic.name}] has ${topic.writeQueues} write queues`
    return { refusal: { code: ResponseCode.INVALID_PARAMETER, remark } }
  }
  if (request.queueId >= 0) return { made, queueId: request.queueId }
  const shardingKey = propertyOf(request.properties, '__SHARDINGKEY')
  return { made, queueId: chooseQueue(core, topic, shardingKey) }
}

/** The topic that this send makes on its way, if it may. */
function autoCreated(core: Core, name: string): TopicFact | undefined {
  const { settings, state } = core
  if (state.topics.get(name) !== undefined) return undefined
  // The topics of a group belong to it, whether others are made on the way or not.
  if (name.startsWith(RETRY_GROUP_TOPIC_PREFIX) || name.startsWith(DLQ_GROUP_TOPIC_PREFIX))
    return derivedTopic(core, name)
  if (!settings.autoCreateTopics) return undefined
  const queues = settings.topicQueues
  return {
    name,
    kind: 'message',
    readQueues: queues,
    writeQueues: queues,
    perm: PERM_READ_WRITE,
  }
}
