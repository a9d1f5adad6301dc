/** GET_MAX_OFFSET: the offset that the next message of a queue gets. */
import { queueOffset } from '@sagalog/kernel'
import type { MaxOffsetRequest } from '@sagalog/protocol'
import type { Call } from '../core.js'

export function maxOffset(call: Call, { queueId, topic }: MaxOffsetRequest): void {
  const { log, state } = call.core
  const offset = queueOffset(state.queues.nextOffset(topic, queueId))
  call.answer({ offset }, log.watermark('memory'))
}
