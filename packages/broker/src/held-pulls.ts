/**
 * Pulls that found nothing and wait for a message: long polling. A pull is answered again from the
 * start when its queue has grown and the growth is safe, or when its time is up.
 * Invariant: a held pull is answered once.
 */
import type { Cancel, Clock, Hops } from '@sagalog/kernel'
import type { Queue } from './folds/queues.js'

interface HeldPull {
  /** Looks again; true when it answered. */
  readonly retry: () => boolean
  readonly cancelTimeout: Cancel
}

const keyOf = (topic: string, queueId: number): string => `${topic}\u0000${queueId}`

export class HeldPulls {
  private readonly clock: Clock
  private readonly hops: Hops
  private readonly held = new Map<string, Set<HeldPull>>()
  private grown = new Set<string>()

  constructor(parts: { clock: Clock; hops: Hops }) {
    this.clock = parts.clock
    this.hops = parts.hops
  }

  hold(
    queue: { topic: string; queueId: number },
    options: {
      forMs: number
      /** The queue has messages that are not safe yet. */
      isGrowing: boolean
      retry: () => boolean
      timeUp: () => void
    },
  ): void {
    const key = keyOf(queue.topic, queue.queueId)
    if (options.isGrowing) this.grown.add(key)
    let pulls = this.held.get(key)
    if (pulls === undefined) {
      pulls = new Set()
      this.held.set(key, pulls)
    }
    const waiting = pulls
    const pull: HeldPull = {
      retry: options.retry,
      cancelTimeout: this.clock.after(options.forMs, () => {
        if (waiting.delete(pull)) options.timeUp()
      }),
    }
    waiting.add(pull)
  }

  /** Notes that a queue has a new message, which is not safe yet, or that its group was moved. */
  grow(queue: Pick<Queue, 'topic' | 'queueId'>): void {
    const key = keyOf(queue.topic, queue.queueId)
    if (this.held.has(key)) this.grown.add(key)
  }

  /** Answers what can be answered now; a queue whose growth is not safe yet is looked at again. */
  wake(): void {
    if (this.grown.size === 0) return
    const keys = this.grown
    this.grown = new Set()
    for (const key of keys) {
      const pulls = this.held.get(key)
      if (pulls === undefined || pulls.size === 0) continue
      this.hops.reach('broker.wake')
      for (const pull of pulls) {
        if (!pull.retry()) {
          this.grown.add(key)
          continue
        }
        pull.cancelTimeout()
        pulls.delete(pull)
      }
      if (pulls.size === 0) this.held.delete(key)
    }
  }

  /** Forgets all of them; used when the broker closes. */
  clear(): void {
    for (const pulls of this.held.values()) for (const pull of pulls) pull.cancelTimeout()
    this.held.clear()
    this.grown.clear()
  }
}
