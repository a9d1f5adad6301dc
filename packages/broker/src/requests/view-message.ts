/** VIEW_MESSAGE_BY_ID: one message, by the position in its offset id. */
import { ResponseCode, type ViewMessageRequest } from '@sagalog/protocol'
import type { Call } from '../core.js'
import { messageAt } from '../message-at.js'
import { storedMessageStart } from '../records/event-record.js'

export function viewMessage(call: Call, { position }: ViewMessageRequest): void {
  const { core } = call
  messageAt(core, position).then(
    (record) => {
      if (record === undefined) {
        const remark = `can not find message by the offset, ${position}`
        call.refuse({ code: ResponseCode.SYSTEM_ERROR, remark })
        return
      }
      const message = record.source.subarray(storedMessageStart(record), record.end)
      call.answer({ message }, core.log.watermark('memory'))
    },
    (error: unknown) => call.fail(error),
  )
}
