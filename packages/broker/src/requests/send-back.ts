/** CONSUMER_SEND_MSG_BACK: a message that was not handled comes again, or is a dead letter. */
import type { LogRecord } from '@sagalog/kernel'
import {
  deadLetterTopic,
  nothing,
  ResponseCode,
  retryTopic,
  type SendBackRequest,
} from '@sagalog/protocol'
import { admitNewTopic } from '../admit.js'
import { type Call, refused } from '../core.js'
import { admitAssigned } from '../group-kind.js'
import { messageAt } from '../message-at.js'
import { RETRIES_MAX, retryDrafts } from '../retry-topic.js'
import type { Decision } from '../sequence.js'

export function sendBack(call: Call, request: SendBackRequest): void {
  messageAt(call.core, request.position).then(
    (record) => call.sequence(() => decide(call, request, record)),
    (error: unknown) => call.fail(error),
  )
}

function decide(call: Call, request: SendBackRequest, record: LogRecord | undefined): Decision {
  const { core } = call
  const problem = admitAssigned(core, request.group)
  if (problem !== undefined) return refused(call, problem)
  if (record === undefined) {
    const remark = `look message by offset failed, ${request.position}`
    return refused(call, { code: ResponseCode.SYSTEM_ERROR, remark })
  }
  const { delayLevel, group, maxReconsumeTimes } = request
  const noRoom = [retryTopic(group), deadLetterTopic(group)]
    .map((name) => admitNewTopic(core, name))
    .find((refusal) => refusal !== undefined)
  if (noRoom !== undefined) return refused(call, noRoom)
  const retriesMax = maxReconsumeTimes ?? RETRIES_MAX
  const drafts = retryDrafts(core, { group, record, delayLevel, retriesMax })
  return { drafts, applied: (end) => call.answer(nothing, end) }
}
