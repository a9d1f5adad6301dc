/** SEND_BATCH_MESSAGE: messages one behind the other in a queue, in one frame of the log. */
import type { QueueOffset } from '@sagalog/kernel'
import {
  offsetId,
  ResponseCode,
  RETRY_GROUP_TOPIC_PREFIX,
  type SendBatchRequest,
  type SendMessageResponse,
} from '@sagalog/protocol'
import { type Call, refused } from '../core.js'
import { messageDraft, Placement, sentContent } from '../messages.js'
import { topicDraft } from '../records/facts.js'
import type { SendWindow } from '../folds/send-window.js'
import { numberedSend } from '../numbered-send.js'
import type { Decision } from '../sequence.js'
import { admitSend, sendTopic } from './send-message.js'

export function sendBatch(call: Call, request: SendBatchRequest): void {
  const problem = admitSend(call.core, request, request.messages) ?? admitBatch(request)
  if (problem !== undefined) call.refuse(problem)
  else {
    const bytes = request.messages.reduce((sum, { body }) => sum + body.length, 0)
    call.sequence(() => decide(call, request), bytes)
  }
}

function admitBatch({ messages, topic }: SendBatchRequest) {
  const code = ResponseCode.MESSAGE_ILLEGAL
  if (messages.length === 0) return { code, remark: 'the batch holds no message' }
  if (!topic.startsWith(RETRY_GROUP_TOPIC_PREFIX)) return undefined
  return { code, remark: `batch request does not support retry group ${topic}` }
}

function decide(call: Call, request: SendBatchRequest): Decision {
  const { core } = call
  const numbered = numberedSend(core, request, request.messages[0]?.properties ?? '')
  if ('refusal' in numbered) return refused(call, numbered.refusal)
  if ('window' in numbered) return repeated(call, request, numbered)
  const found = sendTopic(core, request)
  if ('refusal' in found) return refused(call, found.refusal)
  const { made, queueId } = found
  const bornHost = call.session.host
  const placement = new Placement(core.state.queues)
  const nowMs = core.clock.wallMs()
  const offsets: QueueOffset[] = []
  const messages = request.messages.map((message) => {
    const offset = placement.next(request.topic, queueId)
    offsets.push(offset)
    const content = sentContent(request, message, { queueId, bornHost })
    return messageDraft(core, content, offset, nowMs)
  })
  return {
    drafts: [...numbered.facts, ...(made === undefined ? [] : [topicDraft(made)]), ...messages],
    applied(end, records) {
      const [first] = offsets
      if (first === undefined) return
      const stored = records.slice(records.length - messages.length)
      const ids = stored.map(({ position }) => offsetId(core.settings.address, position))
      const response: SendMessageResponse = { msgId: ids.join(','), queueId, queueOffset: first }
      call.answer(response, end)
    },
  }
}

/** The answer that the first try got, or would have got: a batch is stored whole. */
function repeated(
  call: Call,
  { messages }: SendBatchRequest,
  { number, window }: { number: number; window: SendWindow },
): Decision {
  const { address } = call.core.settings
  const stored = messages.flatMap((_, index) => window.get(number + index) ?? [])
  const [first] = stored
  if (first === undefined) return { drafts: [], applied: () => undefined }
  const msgId = stored.map(({ position }) => offsetId(address, position)).join(',')
  const { queueId, queueOffset } = first
  return {
    drafts: [],
    applied: (end) => call.answer({ msgId, queueId, queueOffset }, end),
  }
}
