/** SEARCH_OFFSET_BY_TIMESTAMP: where a queue was at a time. */
import type { SearchOffsetRequest } from '@sagalog/protocol'
import type { Call } from '../core.js'
import { offsetByTime } from '../offset-by-time.js'

export function searchOffset(call: Call, request: SearchOffsetRequest): void {
  const { core } = call
  offsetByTime(core, request).then(
    (offset) => call.answer({ offset }, core.log.watermark('memory')),
    (error: unknown) => call.fail(error),
  )
}
