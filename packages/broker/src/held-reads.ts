/**
 * Reads of events that found none and wait for one. A read is tried again when a category that it
 * wants has grown and the growth is safe, or when its time is up.
 * Invariant: a held read is answered once.
 */
import type { Cancel, Clock } from '@sagalog/kernel'

export interface HeldRead {
  /** The categories that it wants; none means all. */
  readonly categories: readonly string[]
  readonly forMs: number
  /** True when there are events for it that are not safe yet. */
  readonly isGrowing: () => boolean
  /** Looks again; true when it answered. */
  readonly retry: () => boolean
  readonly timeUp: () => void
}

interface Held {
  readonly read: HeldRead
  readonly cancelTimeout: Cancel
  isGrowing: boolean
}

export class HeldReads {
  private readonly clock: Clock
  private readonly held = new Set<Held>()

  constructor(clock: Clock) {
    this.clock = clock
  }

  hold(read: HeldRead): void {
    const held: Held = {
      read,
      isGrowing: read.isGrowing(),
      cancelTimeout: this.clock.after(read.forMs, () => {
        if (this.held.delete(held)) read.timeUp()
      }),
    }
    this.held.add(held)
  }

  /** Notes that a category has a new event; it is not safe yet. */
  grow(category: string): void {
    for (const held of this.held) {
      const { categories } = held.read
      if (categories.length === 0 || categories.includes(category)) held.isGrowing = true
    }
  }

  /** Answers what can be answered now; growth that is not safe yet is looked at again. */
  wake(): void {
    for (const held of this.held) {
      if (!held.isGrowing) continue
      if (held.read.retry()) {
        held.cancelTimeout()
        this.held.delete(held)
      } else held.isGrowing = held.read.isGrowing()
    }
  }

  /** Forgets all of them; used when the broker closes. */
  clear(): void {
    for (const { cancelTimeout } of this.held) cancelTimeout()
    this.held.clear()
  }
}
