/**
 * A group is of one kind or the other: Sagalog's consumers take queues under leases, RocketMQ's
 * assign them among themselves. Mixed, neither would know of the other's queues. The log tells the
 * kind, because only the first have leases, and who is alive right now.
 */
import { ResponseCode } from '@sagalog/protocol'
import { admitName } from './admit.js'
import type { Core, Refusal } from './core.js'

/** Why RocketMQ's clients can't use the group, if so. */
export function admitAssigned(core: Core, group: string): Refusal | undefined {
  const problem = admitName('group', group)
  if (problem !== undefined) return problem
  if (!core.state.leases.holds(group)) return undefined
  const remark = `the group[${group}] is one of Sagalog's own consumers, with leases; take another name`
  return { code: ResponseCode.NO_PERMISSION, remark }
}

/** Why Sagalog's consumers can't use the group, if so. */
export function admitLeased(core: Core, group: string): Refusal | undefined {
  const { leases, places } = core.state
  const isAssigned = core.assigned.has(group) || (places.holds(group) && !leases.holds(group))
  if (!isAssigned) return undefined
  const remark = `the group[${group}] is one of RocketMQ's own clients, without leases; take another name`
  return { code: ResponseCode.NO_PERMISSION, remark }
}
