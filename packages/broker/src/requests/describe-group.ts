/** DESCRIBE_GROUP: who is connected, and where the group stands in each queue, with ages. */
import { type DescribeGroupRequest, type GroupQueueStanding, ResponseCode } from '@sagalog/protocol'
import { admitName } from '../admit.js'
import type { Call, Core } from '../core.js'
import {
  deadLetterCount,
  groupKind,
  groupMembers,
  groupNames,
  type Standing,
  standings,
  storedAt,
} from '../group-standing.js'

export function describeGroup(call: Call, { group }: DescribeGroupRequest): void {
  const { core } = call
  const problem = admitName('group', group)
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  if (!groupNames(core).includes(group)) {
    const remark = `Group ${group} does not exist`
    call.refuse({ code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark })
    return
  }
  const own = [...standings(core)].filter((standing) => standing.group === group).sort(byQueue)
  const known = {
    group,
    kind: groupKind(core, group),
    lag: own.reduce((sum, { lag }) => sum + lag, 0),
    deadLetters: deadLetterCount(core, group),
    members: groupMembers(core, group),
  }
  Promise.all(own.map((standing) => withAge(core, standing))).then(
    // Reading takes turns; the answer takes its place among those of other requests.
    (queues) =>
      call.sequence(() => ({
        drafts: [],
        applied: (end) => call.answer({ ...known, queues }, end),
      })),
    (error: unknown) => call.fail(error),
  )
}

const byQueue = (left: Standing, right: Standing): number =>
  left.topic === right.topic ? left.queueId - right.queueId : left.topic < right.topic ? -1 : 1

async function withAge(core: Core, standing: Standing): Promise<GroupQueueStanding> {
  const { group: _, ...queue } = standing
  if (queue.lag === 0) return queue
  const { queueId, topic, watermark: offset } = queue
  const oldestStoredAtMs = await storedAt(core, { topic, queueId, offset })
  if (oldestStoredAtMs === undefined) return queue
  const oldestAgeMs = Math.max(0, Math.round(core.clock.wallMs() - oldestStoredAtMs))
  return { ...queue, oldestStoredAtMs, oldestAgeMs }
}
