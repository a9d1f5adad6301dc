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

/** The pulls that wait for one queue. */
type Waiting = Set<HeldPull>

export class HeldPulls {
  private readonly clock: Clock
  private readonly hops: Hops
  /** By topic, then by queue: looked at for every message, so no key is made. */
  private readonly held = new Map<string, (Waiting | undefined)[]>()
  private grown = new Set<Waiting>()

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
    const waiting = this.require(queue)
    if (options.isGrowing) this.grown.add(waiting)
    const pull: HeldPull = {
      retry: options.retry,
      cancelTimeout: this.clock.after(options.forMs, () => {
        if (waiting.delete(pull)) options.timeUp()
      }),
    }
    waiting.add(pull)
  }

  /** Notes that a queue has a new message, which is not safe yet, or that its group was moved. */
  grow({ queueId, topic }: Pick<Queue, 'topic' | 'queueId'>): void {
    const waiting = this.held.get(topic)?.[queueId]
    if (waiting !== undefined && waiting.size > 0) this.grown.add(waiting)
  }

  private require({ queueId, topic }: Pick<Queue, 'topic' | 'queueId'>): Waiting {
    let queues = this.held.get(topic)
    if (queues === undefined) {
      queues = []
      this.held.set(topic, queues)
    }
    const waiting = queues[queueId] ?? new Set()
    queues[queueId] = waiting
    return waiting
  }

  /** Answers what can be answered now; a queue whose growth is not safe yet is looked at again. */
  wake(): void {
    if (this.grown.size === 0) return
    const grown = this.grown
    this.grown = new Set()
    for (const waiting of grown) {
      if (waiting.size === 0) continue
      this.hops.reach('broker.wake')
      for (const pull of waiting) {
        if (!pull.retry()) {
          this.grown.add(waiting)
          continue
        }
        pull.cancelTimeout()
        waiting.delete(pull)
      }
    }
  }

  /** Forgets all of them; used when the broker closes. */
  clear(): void {
    for (const queues of this.held.values())
      for (const waiting of queues) for (const pull of waiting ?? []) pull.cancelTimeout()
    this.held.clear()
    this.grown.clear()
  }
}
