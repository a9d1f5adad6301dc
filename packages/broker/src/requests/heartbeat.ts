/**
 * HEART_BEAT: which producer groups a session speaks for, so that check-backs find it, and which
 * groups of RocketMQ's consumers it belongs to. Such a group gets its retry topic here. A group of
 * Sagalog's own consumers is passed over; its pulls are refused with the reason.
 */
import {
  type HeartbeatConsumer,
  type HeartbeatRequest,
  nothing,
  notifyMembers,
  onewayOf,
  retryTopic,
} from '@sagalog/protocol'
import type { Departure } from '../assigned-groups.js'
import { admitNewGroup, admitNewTopic } from '../admit.js'
import { type Call, type Core, refused } from '../core.js'
import { admitAssigned } from '../group-kind.js'
import { CLIENT_EXPIRY_MS } from '../limits.js'
import { topicDraft } from '../records/facts.js'
import { derivedTopic } from '../retry-topic.js'
import type { Decision } from '../sequence.js'

export function heartbeat(call: Call, request: HeartbeatRequest): void {
  const { core, session } = call
  for (const group of request.producerGroups) session.producerGroups.add(group)
  const consumers = request.consumers.filter(
    ({ group }) => admitAssigned(core, group) === undefined,
  )
  if (consumers.length === 0) call.answer(nothing, core.log.watermark('memory'))
  else call.sequence(() => decide(call, request.clientId, consumers))
}

function decide(call: Call, clientId: string, consumers: readonly HeartbeatConsumer[]): Decision {
  const { core, session } = call
  const made = consumers
    .filter(({ mode }) => mode === 'clustering')
    .map(({ group }) => derivedTopic(core, retryTopic(group)))
    .filter((topic) => topic !== undefined)
  const noRoom =
    firstOf(made, ({ name }) => admitNewTopic(core, name)) ??
    firstOf(consumers, ({ group }) => {
      return core.assigned.has(group) ? undefined : admitNewGroup(core, group)
    })
  if (noRoom !== undefined) return refused(call, noRoom)
  return {
    drafts: made.map(topicDraft),
    applied(end) {
      const deadlineMs = core.clock.monotonicMs() + CLIENT_EXPIRY_MS
      call.answer(nothing, end)
      if (!session.isOpen) return
      for (const consumer of consumers) {
        if (core.assigned.beat(consumer, { clientId, session, deadlineMs }))
          notifyClients(core, consumer.group)
      }
    },
  }
}

function firstOf<A, B>(items: readonly A[], find: (item: A) => B | undefined): B | undefined {
  for (const item of items) {
    const found = find(item)
    if (found !== undefined) return found
  }
  return undefined
}

/** Takes leave of clients that are gone: their locks are free, the others assign anew. */
export function farewell(core: Core, departures: readonly Departure[]): void {
  for (const { clientId, group } of departures) core.locks.release(group, clientId)
  for (const group of new Set(departures.map((each) => each.group))) notifyClients(core, group)
}

/** Tells the clients of a group that its members or subscriptions changed. */
function notifyClients(core: Core, group: string): void {
  const end = core.log.watermark('memory')
  for (const { session } of core.assigned.audience(group)) {
    const command = onewayOf(notifyMembers, 0, { consumerGroup: group })
    core.outbox.post({ end, channel: session.channel, command })
  }
}
