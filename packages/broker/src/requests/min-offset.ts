/** GET_MIN_OFFSET: the oldest offset that a queue still has. */
import { queueOffset } from '@sagalog/kernel'
import type { MinOffsetRequest } from '@sagalog/protocol'
import type { Call } from '../core.js'

export function minOffset(call: Call, { queueId, topic }: MinOffsetRequest): void {
  const { log, state } = call.core
  const offset = queueOffset(state.queues.firstOffset(topic, queueId))
  call.answer({ offset }, log.watermark('memory'))
}
