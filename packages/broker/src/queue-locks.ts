/**
 * Which client of a RocketMQ group has an orderly queue to itself. Memory, as in RocketMQ: a lock
 * lasts 60 s from its last renewal, and goes at once when its client leaves.
 * Invariant: a queue of a group has at most one holder.
 */

/** As RocketMQ's `rocketmq.broker.rebalance.lockMaxLiveTime`. */
const LOCK_MS = 60_000

interface Lock {
  readonly clientId: string
  readonly untilMs: number
}

export interface LockedQueue {
  readonly group: string
  readonly topic: string
  readonly queueId: number
}

const keyOf = ({ queueId, topic }: LockedQueue): string => `${topic}\u0000${queueId}`

export class QueueLocks {
  private readonly groups = new Map<string, Map<string, Lock>>()

  /** Takes or renews the lock; false when another client has it. */
  lock(queue: LockedQueue, clientId: string, nowMs: number): boolean {
    let locks = this.groups.get(queue.group)
    if (locks === undefined) {
      locks = new Map()
      this.groups.set(queue.group, locks)
    }
    const held = locks.get(keyOf(queue))
    if (held !== undefined && held.clientId !== clientId && held.untilMs > nowMs) return false
    locks.set(keyOf(queue), { clientId, untilMs: nowMs + LOCK_MS })
    return true
  }

  unlock(queue: LockedQueue, clientId: string): void {
    const locks = this.groups.get(queue.group)
    if (locks?.get(keyOf(queue))?.clientId === clientId) locks.delete(keyOf(queue))
    if (locks?.size === 0) this.groups.delete(queue.group)
  }

  /** Gives back all that a client holds in a group. */
  release(group: string, clientId: string): void {
    const locks = this.groups.get(group)
    if (locks === undefined) return
    for (const [key, lock] of locks) if (lock.clientId === clientId) locks.delete(key)
    if (locks.size === 0) this.groups.delete(group)
  }

  /** True while the group consumes in order: one of its queues is locked. */
  holdsAny(group: string, nowMs: number): boolean {
    for (const { untilMs } of this.groups.get(group)?.values() ?? [])
      if (untilMs > nowMs) return true
    return false
  }
}
