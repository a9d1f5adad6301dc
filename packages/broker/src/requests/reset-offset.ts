/**
 * INVOKE_BROKER_TO_RESET_OFFSET: an operator moves a group. The places move in the log. Each of
 * RocketMQ's consumers is told at its next pull; held pulls are asked again at once. Those with
 * leases lose them in the same step: what was in hand is refused, and they begin at the new place.
 */
import { type GroupQueue, type QueueOffset, queueOffset } from '@sagalog/kernel'
import { type ResetOffsetRequest, ResponseCode } from '@sagalog/protocol'
import { type Call, type Core, type Refusal, refused } from '../core.js'
import { admitQueue, withinQueue } from '../consumer-place.js'
import { isPlaceOf } from '../members.js'
import { offsetByTime } from '../offset-by-time.js'
import { placeDraft, resetDraft } from '../records/facts.js'
import type { Decision } from '../sequence.js'
import { notify } from './lease-queues.js'

interface Move {
  readonly queueId: number
  readonly offset: QueueOffset
}

export function resetOffset(call: Call, request: ResetOffsetRequest): void {
  const problem = admit(call, request)
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  moves(call, request).then(
    (moved) => call.sequence(() => decide(call, request, moved)),
    (error: unknown) => call.fail(error),
  )
}

function admit(call: Call, request: ResetOffsetRequest): Refusal | undefined {
  const { group, offset, queueId, topic } = request
  const { core } = call
  const problem = admitQueue(core, { group, topic, queueId: Math.max(0, queueId) })
  if (problem !== undefined) return problem
  const { leases, places } = core.state
  if (!core.assigned.has(group) && !places.holds(group) && !leases.holds(group)) {
    const remark = `Group ${group} does not exist`
    return { code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, remark }
  }
  const min = core.state.queues.firstOffset(topic, queueId)
  const max = core.state.queues.nextOffset(topic, queueId)
  if (queueId < 0 || offset < 0 || (offset >= min && offset <= max)) return undefined
  const remark = `Target offset ${offset} not in consume queue range [${min}-${max}]`
  return { code: ResponseCode.SYSTEM_ERROR, remark }
}

async function moves(call: Call, request: ResetOffsetRequest): Promise<Move[]> {
  const { core } = call
  const { group, offset, timestampMs, topic } = request
  const readQueues = core.state.topics.get(topic)?.readQueues ?? 0
  const all = Array.from({ length: readQueues }, (_, queueId) => queueId)
  const moved: Move[] = []
  for (const queueId of request.queueId < 0 ? all : [request.queueId]) {
    const queue = { group, topic, queueId }
    const asked = request.queueId >= 0 && offset >= 0
    if (asked) moved.push({ queueId, offset: queueOffset(offset) })
    else if (timestampMs < 0)
      moved.push({ queueId, offset: withinQueue(core, queue, Number.MAX_SAFE_INTEGER) })
    else
      moved.push({
        queueId,
        offset: await offsetByTime(core, { topic, queueId, timestampMs, boundary: 'lower' }),
      })
  }
  return moved
}

function decide(call: Call, request: ResetOffsetRequest, moved: readonly Move[]): Decision {
  const { core } = call
  const { group, topic } = request
  const problem = admit(call, request)
  if (problem !== undefined) return refused(call, problem)
  const isLeased = core.state.leases.holds(group)
  const drafts = moved.flatMap(({ offset, queueId }) => {
    const places = placeGroups(core, { group, topic, queueId }).map((name) =>
      placeDraft({ group: name, topic, queueId, watermark: offset, settled: [] }),
    )
    const reset = { group, topic, queueId, offset, isDone: false }
    return isLeased ? places : [...places, resetDraft(reset)]
  })
  return {
    drafts,
    applied(end) {
      for (const { queueId } of moved) {
        if (isLeased) core.members.revoke(group, topic, queueId)
        core.heldPulls.grow({ topic, queueId })
      }
      const brokerName = core.settings.name
      call.answer({ offsets: moved.map((move) => ({ topic, brokerName, ...move })) }, end)
      if (isLeased) notify(core, group, undefined)
    },
  }
}

/** The names under which the group has places in the queue; its own when it has none yet. */
function placeGroups(core: Core, { group, queueId, topic }: GroupQueue): string[] {
  const names = [...core.state.places.all()]
    .filter((place) => place.topic === topic && place.queueId === queueId)
    .map((place) => place.group)
    .filter((name) => isPlaceOf(group, name))
  return names.length === 0 ? [group] : names
}
