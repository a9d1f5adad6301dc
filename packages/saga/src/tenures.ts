/**
 * Tells how long nobody else can have touched the sagas of a queue. A queue's messages are handled
 * one after another, each by one instance; so whoever committed message n and is now given message
 * n + 1 knows that nothing was committed in between. As long as that goes on it is one tenure; any
 * gap begins a new one, and what was kept from before must be read again.
 */

export interface Tenures {
  /** The tenure under which this message is handled. */
  at(queueId: number, offset: number): number
  /** The message's commit has happened. */
  settled(queueId: number, offset: number): void
}

interface Queue {
  readonly tenure: number
  /** The next offset that continues the tenure. */
  readonly next: number
}

export function createTenures(): Tenures {
  const queues = new Map<number, Queue>()
  let last = 0
  return {
    at(queueId, offset) {
      const queue = queues.get(queueId)
      if (queue !== undefined && queue.next === offset) return queue.tenure
      last += 1
      queues.set(queueId, { tenure: last, next: offset })
      return last
    },
    settled(queueId, offset) {
      const queue = queues.get(queueId)
      if (queue?.next === offset) queues.set(queueId, { tenure: queue.tenure, next: offset + 1 })
    },
  }
}
