/** UNREGISTER_CLIENT: a client leaves in good order. */
import { nothing, type UnregisterRequest } from '@sagalog/protocol'
import type { Call } from '../core.js'

export function unregister(call: Call, request: UnregisterRequest): void {
  if (request.producerGroup !== undefined) call.session.producerGroups.delete(request.producerGroup)
  call.answer(nothing, call.core.log.watermark('memory'))
}
