/** LIST_GROUPS: the consumer groups, by their names, with what they have left to do. */
import type { GroupSummary, ListGroupsRequest } from '@sagalog/protocol'
import { admitNumbers, COUNT } from '../admit.js'
import type { Call, Core } from '../core.js'
import {
  deadLetterCount,
  groupKind,
  groupMembers,
  groupNames,
  standings,
} from '../group-standing.js'
import { LIST_NAMES_MAX } from '../limits.js'

export function listGroups(call: Call, request: ListGroupsRequest): void {
  const { core } = call
  const { after, maxGroups } = request
  const problem = admitNumbers({ maxGroups }, COUNT)
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  const behind = groupNames(core).filter((group) => group > after)
  const page = behind.slice(0, Math.min(maxGroups, LIST_NAMES_MAX))
  const lags = new Map<string, number>()
  for (const { group, lag } of standings(core)) lags.set(group, (lags.get(group) ?? 0) + lag)
  const groups = page.map((group) => summaryOf(core, group, lags.get(group) ?? 0))
  // It tells of the sequenced state, so it waits for all of it.
  call.answer({ groups, hasMore: page.length < behind.length }, core.log.watermark('memory'))
}

function summaryOf(core: Core, group: string, lag: number): GroupSummary {
  return {
    group,
    kind: groupKind(core, group),
    members: groupMembers(core, group).length,
    lag,
    deadLetters: deadLetterCount(core, group),
  }
}
