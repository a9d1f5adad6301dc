/**
 * The consumer groups of RocketMQ's own clients, which assign queues among themselves: the broker
 * only tells them who is alive. Clients and subscriptions come with heartbeats and are memory; they
 * go with their connection. Where such a group stands in a queue is in the log, as for any group.
 * Invariant: a group that is here has a live client.
 */
import type { GroupMember, HeartbeatConsumer, Subscription } from '@sagalog/protocol'
import type { Session } from './members.js'

export interface AssignedClient {
  readonly clientId: string
  readonly session: Session
  /** By the monotonic clock; a heartbeat moves it. */
  readonly deadlineMs: number
}

interface AssignedGroup {
  mode: HeartbeatConsumer['mode']
  readonly clients: Map<string, AssignedClient>
  subscriptions: ReadonlyMap<string, Subscription>
}

/** A client that is not there any more, and the group that it leaves behind. */
export interface Departure {
  readonly group: string
  readonly clientId: string
}

export class AssignedGroups {
  private readonly groups = new Map<string, AssignedGroup>()
  /** The groups that each connection spoke for, so that its end looks at no other. */
  private readonly spokenFor = new Map<Session, Set<string>>()

  get count(): number {
    return this.groups.size
  }

  has(group: string): boolean {
    return this.groups.has(group)
  }

  /** Adds or renews a client; true when the others of the group have to be told. */
  beat(consumer: HeartbeatConsumer, client: AssignedClient): boolean {
    const subscriptions = new Map(consumer.subscriptions.map((item) => [item.topic, item]))
    let group = this.groups.get(consumer.group)
    if (group === undefined) {
      group = { mode: consumer.mode, clients: new Map(), subscriptions }
      this.groups.set(consumer.group, group)
    }
    const known = group.clients.get(client.clientId)
    const isSame = isSameSubscriptions(group.subscriptions, subscriptions)
    group.mode = consumer.mode
    // As in RocketMQ, the last heartbeat speaks for the group.
    group.subscriptions = subscriptions
    group.clients.set(client.clientId, client)
    const spoken = this.spokenFor.get(client.session)
    if (spoken === undefined) this.spokenFor.set(client.session, new Set([consumer.group]))
    else spoken.add(consumer.group)
    return known?.session !== client.session || !isSame
  }

  /** True when the client was a member. */
  leave(group: string, clientId: string): boolean {
    const found = this.groups.get(group)
    if (found === undefined || !found.clients.delete(clientId)) return false
    if (found.clients.size === 0) this.groups.delete(group)
    return true
  }

  /** Ends what a connection spoke for. */
  close(session: Session): Departure[] {
    const groups = this.spokenFor.get(session) ?? []
    this.spokenFor.delete(session)
    return this.drop(groups, (client) => client.session === session)
  }

  /** Lets go of the clients whose heartbeats stay away. */
  expire(nowMs: number): Departure[] {
    return this.drop(this.groups.keys(), (client) => client.deadlineMs <= nowMs)
  }

  clientIds(group: string): string[] {
    return [...(this.groups.get(group)?.clients.keys() ?? [])]
  }

  names(): Iterable<string> {
    return this.groups.keys()
  }

  members(group: string): GroupMember[] {
    const found = this.groups.get(group)
    if (found === undefined) return []
    const topics = [...found.subscriptions.keys()]
    return this.clientIds(group).map((instance) => ({ instance, mode: found.mode, topics }))
  }

  /** The live clients to be told of changes; a broadcasting group shares nothing. */
  audience(group: string): Iterable<AssignedClient> {
    const found = this.groups.get(group)
    return found === undefined || found.mode === 'broadcasting' ? [] : found.clients.values()
  }

  subscription(group: string, topic: string): Subscription | undefined {
    return this.groups.get(group)?.subscriptions.get(topic)
  }

  private drop(groups: Iterable<string>, isGone: (client: AssignedClient) => boolean): Departure[] {
    const gone: Departure[] = []
    for (const group of groups)
      for (const client of this.groups.get(group)?.clients.values() ?? [])
        if (isGone(client)) gone.push({ group, clientId: client.clientId })
    for (const { clientId, group } of gone) this.leave(group, clientId)
    return gone
  }
}

function isSameSubscriptions(
  left: ReadonlyMap<string, Subscription>,
  right: ReadonlyMap<string, Subscription>,
): boolean {
  if (left.size !== right.size) return false
  for (const [topic, { expression }] of left)
    if (right.get(topic)?.expression !== expression) return false
  return true
}
