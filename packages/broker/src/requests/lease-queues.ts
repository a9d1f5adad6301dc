/**
 * LEASE_QUEUES: an instance joins its group or renews, and gets the queues that are its own. A
 * queue changes hands in three steps: its holder is told to finish, releases it by not naming it
 * any more, and the new holder is granted it with the next epoch. A grant is a record; renewals are
 * not.
 */
import { type Draft, leaseEpoch, queueOffset } from '@sagalog/kernel'
import {
  type LeaseQueuesRequest,
  type LeaseQueuesResponse,
  notifyMembers,
  onewayOf,
  ResponseCode,
} from '@sagalog/protocol'
import { admitName, admitNewGroup, admitNumbers, COUNT } from '../admit.js'
import { admitAllocation, type Targets, targetsOf } from '../assignment.js'
import { type Call, type Core, type Refusal, refused } from '../core.js'
import { factOf } from '../folds/places.js'
import { admitLeased } from '../group-kind.js'
import { type Lease, type Member, placeGroupOf } from '../members.js'
import { offsetByTime } from '../offset-by-time.js'
import { leaseDraft, placeDraft } from '../records/facts.js'
import type { Decision } from '../sequence.js'

interface Grant {
  readonly topic: string
  readonly queueId: number
  readonly epoch: ReturnType<typeof leaseEpoch>
}

export function leaseQueues(call: Call, request: LeaseQueuesRequest): void {
  // Joining is memory and happens at once; it must be told although the log may have no room yet
  // and the decision is then made a second time.
  const seen = { isChanged: false }
  const begin = (starts: Starts): void => call.sequence(() => decide(call, request, starts, seen))
  if (typeof request.from === 'string') {
    const isFirst = request.from === 'first'
    begin((queue) => (isFirst ? firstOffsetOf : nextOffsetOf)(call.core, queue))
    return
  }
  const { storedAtMs } = request.from
  const problem = admitNumbers({ storedAtMs }, COUNT)
  if (problem !== undefined) call.refuse(problem)
  else startsAt(call.core, request, storedAtMs).then(begin, (error: unknown) => call.fail(error))
}

interface QueueRef {
  readonly topic: string
  readonly queueId: number
}

/** Where a queue begins for a group that has no place in it. */
type Starts = (queue: QueueRef) => number

const firstOffsetOf = (core: Core, { queueId, topic }: QueueRef): number =>
  core.state.queues.firstOffset(topic, queueId)

const nextOffsetOf = (core: Core, { queueId, topic }: QueueRef): number =>
  core.state.queues.nextOffset(topic, queueId)

/** The offsets at a time, looked up before the decision: the messages may have to be read. */
async function startsAt(
  core: Core,
  { group, instance, mode, topics }: LeaseQueuesRequest,
  timestampMs: number,
): Promise<Starts> {
  const found = new Map<string, number>()
  const placeGroup = placeGroupOf(group, { instance, mode })
  for (const topic of topics) {
    const queues = core.state.topics.get(topic)?.readQueues ?? 0
    for (let queueId = 0; queueId < queues; queueId += 1) {
      if (core.state.places.get(placeGroup, topic, queueId) !== undefined) continue
      const at = { topic, queueId, timestampMs, boundary: 'lower' } as const
      found.set(`${topic} ${queueId}`, await offsetByTime(core, at))
    }
  }
  // A queue that was made meanwhile has nothing that is older.
  // What was found may have been let go since.
  return ({ queueId, topic }) =>
    Math.max(found.get(`${topic} ${queueId}`) ?? 0, core.state.queues.firstOffset(topic, queueId))
}

function decide(
  call: Call,
  request: LeaseQueuesRequest,
  starts: Starts,
  seen: { isChanged: boolean },
): Decision {
  const { core, session } = call
  const problem =
    admitName('group', request.group) ??
    admitName('instance', request.instance) ??
    admitLeased(core, request.group) ??
    admitNewMember(core, request) ??
    admitAllocation(core, request)
  if (problem !== undefined) return refused(call, problem)
  const missing = request.topics.find((topic) => core.state.topics.get(topic) === undefined)
  if (missing !== undefined) {
    const remark = `topic[${missing}] not exist, apply first please!`
    return refused(call, { code: ResponseCode.TOPIC_NOT_EXIST, remark })
  }
  if (request.leaving) return leave(call, request)
  const deadlineMs = core.clock.monotonicMs() + core.settings.leaseMs
  if (core.members.join(request, session, deadlineMs)) seen.isChanged = true
  const member = core.members.member(request.group, request.instance)
  if (member === undefined) return refused(call, { code: ResponseCode.SYSTEM_ERROR, remark: '' })

  if (releaseUnnamed(core, member, request)) seen.isChanged = true
  const { drafts, grants } = grantsFor(core, member, { request, starts })
  return {
    drafts,
    applied(end) {
      for (const grant of grants) core.members.grant(member, grant)
      call.answer(answerOf(core, member, request), end)
      if (seen.isChanged) notify(core, request.group, member)
    },
  }
}

/** Who renews is in already. */
function admitNewMember(core: Core, request: LeaseQueuesRequest): Refusal | undefined {
  if (request.leaving || core.members.member(request.group, request.instance) !== undefined)
    return undefined
  return admitNewGroup(core, placeGroupOf(request.group, request))
}

function leave(call: Call, request: LeaseQueuesRequest): Decision {
  const { members, settings } = call.core
  return {
    drafts: [],
    applied(end) {
      if (members.member(request.group, request.instance)?.session === call.session)
        members.leave(request.group, request.instance)
      call.answer({ leaseMs: settings.leaseMs, grants: [], revoked: [] }, end)
      notify(call.core, request.group, undefined)
    },
  }
}

/** What the instance holds here but does not name any more, it has given back or never got. */
function releaseUnnamed(core: Core, member: Member, request: LeaseQueuesRequest): boolean {
  const named = new Map(request.held.map((held) => [`${held.topic} ${held.queueId}`, held.epoch]))
  let isReleased = false
  for (const lease of [...member.leases.values()]) {
    if (named.get(`${lease.topic} ${lease.queueId}`) === lease.epoch) continue
    core.members.release(member, lease.topic, lease.queueId)
    isReleased = true
  }
  return isReleased
}

/**
 * The queues that are this instance's and free. Reads only: the grants count once they are applied.
 */
function grantsFor(
  core: Core,
  member: Member,
  { request, starts }: { request: LeaseQueuesRequest; starts: Starts },
): { drafts: Draft[]; grants: Grant[] } {
  const { state } = core
  const drafts: Draft[] = []
  const grants: Grant[] = []
  const placeGroup = placeGroupOf(request.group, member)
  for (const topic of request.topics) {
    const queues = state.topics.get(topic)?.readQueues ?? 0
    const targets = member.mode === 'broadcasting' ? [] : targetsOf(core, request.group, topic)
    for (let queueId = 0; queueId < queues; queueId += 1) {
      if (!isGrantable(core, member, { group: request.group, topic, queueId, targets })) continue
      const queue = { group: request.group, topic, queueId }
      const epoch = leaseEpoch(state.leases.epoch(request.group, topic, queueId) + 1)
      grants.push({ topic, queueId, epoch })
      drafts.push(leaseDraft({ ...queue, epoch, instance: request.instance }))
      if (state.places.get(placeGroup, topic, queueId) !== undefined) continue
      const watermark = queueOffset(starts({ topic, queueId }))
      drafts.push(placeDraft({ ...queue, group: placeGroup, watermark, settled: [] }))
    }
  }
  return { drafts, grants }
}

function isGrantable(
  core: Core,
  member: Member,
  queue: { group: string; topic: string; queueId: number; targets: Targets },
): boolean {
  const { group, topic, queueId, targets } = queue
  if (member.leases.has(`${topic}\u0000${queueId}`)) return false
  if (member.mode === 'broadcasting') return true
  if (targets[queueId] !== member.instance) return false
  return core.members.holder(group, topic, queueId) === undefined
}

function answerOf(core: Core, member: Member, request: LeaseQueuesRequest): LeaseQueuesResponse {
  const { settings, state } = core
  const grants: LeaseQueuesResponse['grants'][number][] = []
  const revoked: LeaseQueuesResponse['revoked'][number][] = []
  const targets = new Map(
    request.topics.map((topic) => [topic, targetsOf(core, request.group, topic)] as const),
  )
  for (const lease of member.leases.values()) {
    const { topic, queueId, epoch } = lease
    const place = state.places.get(placeGroupOf(request.group, member), topic, queueId)
    if (place === undefined) continue
    const { watermark, settled } = factOf(place)
    grants.push({ topic, queueId, epoch, watermark, settled })
    if (isRevoked(lease, targets.get(topic))) revoked.push({ topic, queueId })
  }
  return { leaseMs: settings.leaseMs, grants, revoked }
}

/** `targets` of the lease's topic; undefined when the instance does not ask for it any more. */
function isRevoked({ member, queueId }: Lease, targets: Targets | undefined): boolean {
  if (targets === undefined) return true
  if (member.mode === 'broadcasting') return false
  return targets[queueId] !== member.instance
}

/** Tells the other instances of a group to ask again. */
export function notify(core: Core, group: string, except: Member | undefined): void {
  const end = core.log.watermark(core.settings.durability)
  for (const member of core.members.membersOf(group)) {
    if (member === except || !member.session.isOpen) continue
    const command = onewayOf(notifyMembers, 0, { consumerGroup: group })
    core.outbox.post({ end, channel: member.session.channel, command })
  }
}
