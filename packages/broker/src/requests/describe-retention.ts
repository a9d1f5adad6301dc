/** DESCRIBE_RETENTION: what is let go, what went since the broker was opened, who holds it up. */
import type { DescribeRetentionResponse, Nothing } from '@sagalog/protocol'
import type { Call, Core } from '../core.js'

export function describeRetention(call: Call, _request: Nothing): void {
  call.answer(retentionOf(call.core), call.core.log.watermark('memory'))
}

export function retentionOf(core: Core): DescribeRetentionResponse {
  const { log, retention: account, settings } = core
  const { capBytes, isOn, maxAgeMs, maxBytes, unread } = settings.retention
  const { lastProblem, lastRunAtMs } = account
  const closed = log.closedSegments
  return {
    isOn,
    bounds: {
      ...(maxAgeMs === undefined ? {} : { maxAgeMs }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
      ...(capBytes === undefined ? {} : { capBytes }),
    },
    expiresUnread: unread === 'expire',
    start: log.start,
    logBytes: closed.reduce((sum, { bytes }) => sum + bytes, log.openBytes),
    closedSegments: closed.length,
    runs: account.runs,
    messagesLetGo: account.messagesLetGo,
    segmentsRetired: account.segmentsRetired,
    segmentsRewritten: account.segmentsRewritten,
    bytesFreed: account.bytesFreed,
    ...(lastRunAtMs === undefined ? {} : { lastRunAtMs }),
    ...(lastProblem === undefined ? {} : { lastProblem }),
    heldUp: account.heldUp,
    passedOver: account.passedOver(),
  }
}
