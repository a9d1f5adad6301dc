/** GET_CONSUMER_LIST_BY_GROUP: who of RocketMQ's clients is alive in a group. */
import { type GroupMembersRequest, ResponseCode } from '@sagalog/protocol'
import type { Call } from '../core.js'
import { admitAssigned } from '../group-kind.js'

export function groupMembers(call: Call, { consumerGroup }: GroupMembersRequest): void {
  const { core } = call
  const problem = admitAssigned(core, consumerGroup)
  const clientIds = core.assigned.clientIds(consumerGroup)
  if (problem !== undefined) call.refuse(problem)
  else if (clientIds.length > 0) call.answer({ clientIds }, core.log.watermark('memory'))
  else {
    const remark = `no consumer for this group, ${consumerGroup}`
    call.refuse({ code: ResponseCode.SYSTEM_ERROR, remark })
  }
}
