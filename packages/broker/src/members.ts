/**
 * Who is alive: sessions, the producer groups they speak for, the instances of consumer groups and
 * the leases they hold right now. All of it is memory: a restart ends every lease, and the epochs,
 * which are in the log, keep old holders out.
 * Invariant: one queue of a clustering group has at most one live lease.
 */
import { assert, type Channel, type LeaseEpoch } from '@sagalog/kernel'
import { type Allocation, AVERAGE, type Command, hostBytes, NO_HOST } from '@sagalog/protocol'

export interface Session {
  readonly channel: Channel<Command>
  /** Where the peer is, as stored messages hold it; undefined when it has no address. */
  readonly host: Buffer | undefined
  readonly producerGroups: Set<string>
  isOpen: boolean
}

export type GroupMode = 'clustering' | 'broadcasting'

export interface Lease {
  readonly topic: string
  readonly queueId: number
  readonly epoch: LeaseEpoch
  readonly member: Member
}

export interface Member {
  readonly instance: string
  readonly mode: GroupMode
  session: Session
  topics: readonly string[]
  allocation: Allocation
  deadlineMs: number
  /** By topic and queue. */
  readonly leases: Map<string, Lease>
}

interface Group {
  readonly members: Map<string, Member>
}

export interface Joining {
  readonly group: string
  readonly instance: string
  readonly mode: GroupMode
  readonly topics: readonly string[]
  readonly allocation?: Allocation
}

const keyOf = (topic: string, queueId: number): string => `${topic}\u0000${queueId}`

/** The name under which a group's place is kept: broadcasting instances have one each. */
export function placeGroupOf(group: string, member: Pick<Member, 'instance' | 'mode'>): string {
  return member.mode === 'broadcasting' ? `${group}\u0001${member.instance}` : group
}

/** Whose place a name stands for: a group, or one broadcasting instance of it. */
export function placeOwner(placeGroup: string): {
  readonly group: string
  readonly instance?: string
} {
  const at = placeGroup.indexOf('\u0001')
  if (at < 0) return { group: placeGroup }
  return { group: placeGroup.slice(0, at), instance: placeGroup.slice(at + 1) }
}

/** True for a place under a name of the group: its own, or one of a broadcasting instance. */
export const isPlaceOf = (group: string, placeGroup: string): boolean =>
  placeGroup === group || placeGroup.startsWith(`${group}\u0001`)

export class Members {
  private readonly groups = new Map<string, Group>()
  private readonly sessions = new Set<Session>()

  open(channel: Channel<Command>): Session {
    const address = hostBytes(channel.remote)
    const host = address === NO_HOST ? undefined : address
    const session: Session = { channel, host, producerGroups: new Set(), isOpen: true }
    this.sessions.add(session)
    return session
  }

  /** Ends a session; gives the groups whose queues are free now. */
  close(session: Session): string[] {
    session.isOpen = false
    this.sessions.delete(session)
    return this.drop((member) => member.session === session)
  }

  /** Lets go of the instances that did not renew; gives their groups. */
  expire(nowMs: number): string[] {
    return this.drop((member) => member.deadlineMs <= nowMs)
  }

  /** A live session that speaks for the producer group; they take turns. */
  producer(group: string): Session | undefined {
    for (const session of this.sessions) {
      if (!session.producerGroups.has(group)) continue
      this.sessions.delete(session)
      this.sessions.add(session)
      return session
    }
    return undefined
  }

  /** Adds or renews an instance; true when the group changed by it. */
  join(joining: Joining, session: Session, deadlineMs: number): boolean {
    const group = this.require(joining.group)
    const known = group.members.get(joining.instance)
    if (known !== undefined && known.session === session && known.mode === joining.mode) {
      known.deadlineMs = deadlineMs
      const isSame = known.topics.join('\u0000') === joining.topics.join('\u0000')
      known.topics = joining.topics
      known.allocation = joining.allocation ?? AVERAGE
      return !isSame
    }
    // The same instance from another session has started anew: what it held before is over.
    const { allocation = AVERAGE, instance, mode, topics } = joining
    const leases = new Map<string, Lease>()
    const member: Member = { instance, mode, session, topics, allocation, deadlineMs, leases }
    group.members.set(instance, member)
    return true
  }

  leave(group: string, instance: string): void {
    this.groups.get(group)?.members.delete(instance)
  }

  member(group: string, instance: string): Member | undefined {
    return this.groups.get(group)?.members.get(instance)
  }

  get groupCount(): number {
    return this.groups.size
  }

  /** The groups that have an instance. */
  names(): Iterable<string> {
    return this.groups.keys()
  }

  membersOf(group: string): Iterable<Member> {
    return this.groups.get(group)?.members.values() ?? []
  }

  /** The live lease of a clustering group on a queue. */
  holder(group: string, topic: string, queueId: number): Lease | undefined {
    for (const member of this.membersOf(group)) {
      if (member.mode !== 'clustering') continue
      const lease = member.leases.get(keyOf(topic, queueId))
      if (lease !== undefined) return lease
    }
    return undefined
  }

  grant(member: Member, lease: { topic: string; queueId: number; epoch: LeaseEpoch }): void {
    member.leases.set(keyOf(lease.topic, lease.queueId), { ...lease, member })
  }

  release(member: Member, topic: string, queueId: number): void {
    const wasHeld = member.leases.delete(keyOf(topic, queueId))
    assert(wasHeld, 'only a held queue is released')
  }

  /** Ends every lease of a group on a queue; who held it asks again and gets a new epoch. */
  revoke(group: string, topic: string, queueId: number): void {
    for (const member of this.membersOf(group)) member.leases.delete(keyOf(topic, queueId))
  }

  /** The live lease with this epoch; epochs of a queue are never given twice. */
  find(
    queue: { group: string; topic: string; queueId: number; epoch: LeaseEpoch },
    nowMs: number,
  ): Lease | undefined {
    const key = keyOf(queue.topic, queue.queueId)
    for (const member of this.membersOf(queue.group)) {
      const lease = member.leases.get(key)
      if (lease?.epoch === queue.epoch) return member.deadlineMs > nowMs ? lease : undefined
    }
    return undefined
  }

  private drop(isGone: (member: Member) => boolean): string[] {
    const changed: string[] = []
    for (const [name, group] of this.groups) {
      const before = group.members.size
      for (const member of group.members.values())
        if (isGone(member)) group.members.delete(member.instance)
      if (group.members.size !== before) changed.push(name)
      if (group.members.size === 0) this.groups.delete(name)
    }
    return changed
  }

  private require(name: string): Group {
    let group = this.groups.get(name)
    if (group === undefined) {
      group = { members: new Map() }
      this.groups.set(name, group)
    }
    return group
  }
}
