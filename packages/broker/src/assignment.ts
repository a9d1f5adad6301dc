/**
 * Who should hold which queue: the live instances of a group that ask for a topic share it, by the
 * strategy on which all of them agree. Reads only.
 */
import {
  AVERAGE,
  disagreement,
  isInRooms,
  type LeaseQueuesRequest,
  ownersOf,
  ResponseCode,
  type Sharer,
} from '@sagalog/protocol'
import type { Core, Refusal } from './core.js'

/** By queue id, the instance that should hold it; undefined when none should. */
export type Targets = readonly (string | undefined)[]

export function targetsOf(core: Core, group: string, topic: string): Targets {
  const count = core.state.topics.get(topic)?.readQueues ?? 0
  const brokerName = core.settings.name
  const queues = Array.from({ length: count }, (_, queueId) => ({ topic, brokerName, queueId }))
  const sharers: Sharer[] = []
  for (const member of core.members.membersOf(group))
    if (member.mode === 'clustering' && member.topics.includes(topic))
      sharers.push({ name: member.instance, allocation: member.allocation })
  return ownersOf(queues, sharers)
}

/** Why an instance can't share with those that are there, if so. */
export function admitAllocation(core: Core, request: LeaseQueuesRequest): Refusal | undefined {
  const { allocation = AVERAGE, group, instance, mode } = request
  if (mode === 'broadcasting' || request.leaving) return undefined
  const refusal = (remark: string): Refusal => ({ code: ResponseCode.NO_PERMISSION, remark })
  if (allocation.strategy === 'MACHINE_ROOM' && !isInRooms(core.settings.name, allocation.rooms)) {
    const rooms = allocation.rooms.join(', ')
    return refusal(`the broker ${core.settings.name} stands in none of the rooms ${rooms}`)
  }
  const own: Sharer = { name: instance, allocation }
  const nowMs = core.clock.monotonicMs()
  for (const member of core.members.membersOf(group)) {
    if (member.instance === instance || member.mode === 'broadcasting') continue
    if (member.deadlineMs <= nowMs) continue
    const problem = disagreement(own, { name: member.instance, allocation: member.allocation })
    const advice = 'all instances of a group share in the same way; stop the others first'
    if (problem !== undefined) return refusal(`the group[${group}] is split: ${problem}; ${advice}`)
  }
  return undefined
}
