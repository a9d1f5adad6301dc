/** GET_MIN_OFFSET: the oldest offset that a queue still has. */
import { queueOffset } from '@sagalog/kernel'
import type { MinOffsetRequest } from '@sagalog/protocol'
import type { Call } from '../core.js'

export function minOffset(call: Call, _request: MinOffsetRequest): void {
  call.answer({ offset: queueOffset(0) }, call.core.log.watermark('memory'))
}
