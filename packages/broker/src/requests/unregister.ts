/** UNREGISTER_CLIENT: a client leaves in good order, one group at a time. */
import { nothing, type UnregisterRequest } from '@sagalog/protocol'
import type { Call } from '../core.js'
import { farewell } from './heartbeat.js'

export function unregister(call: Call, request: UnregisterRequest): void {
  const { core, session } = call
  const { clientId, consumerGroup: group, producerGroup } = request
  if (producerGroup !== undefined) session.producerGroups.delete(producerGroup)
  if (group !== undefined && core.assigned.leave(group, clientId))
    farewell(core, [{ clientId, group }])
  call.answer(nothing, core.log.watermark('memory'))
}
