/** HEART_BEAT: which producer groups a session speaks for, so that check-backs find it. */
import { type HeartbeatRequest, nothing } from '@sagalog/protocol'
import type { Call } from '../core.js'

export function heartbeat(call: Call, request: HeartbeatRequest): void {
  for (const group of request.producerGroups) call.session.producerGroups.add(group)
  call.answer(nothing, call.core.log.watermark('memory'))
}
