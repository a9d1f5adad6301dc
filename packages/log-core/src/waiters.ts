/** Those who wait for a watermark, in order of the position they wait for. */
import { assert, type Position } from '@sagalog/kernel'

interface Waiter {
  readonly end: Position
  readonly value: unknown
  readonly resolve: (value: never) => void
  readonly reject: (error: unknown) => void
}

export class Waiters {
  #queue: Waiter[] = []
  /** Those before it have been released; the queue is cut now and then, not at each release. */
  #head = 0

  /** The lowest position that is waited for, or undefined when nobody waits. */
  get next(): Position | undefined {
    return this.#queue[this.#head]?.end
  }

  /** Resolves with `value` once the watermark is at `end` or above. */
  wait<T>(end: Position, value: T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      let at = this.#queue.length
      // Nearly always in order already; a wait for an older position walks back to its place.
      while (at > this.#head && (this.#queue[at - 1]?.end ?? 0) > end) at -= 1
      const waiter = { end, value, resolve, reject }
      if (at === this.#queue.length) this.#queue.push(waiter)
      else this.#queue.splice(at, 0, waiter)
    })
  }

  release(watermark: Position): void {
    for (; this.#head < this.#queue.length; this.#head += 1) {
      const waiter = this.#queue[this.#head]
      assert(waiter !== undefined, 'the head is inside the queue')
      if (waiter.end > watermark) break
      waiter.resolve(waiter.value as never)
    }
    if (this.#head > 1024 || this.#head === this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
  }

  rejectAll(error: unknown): void {
    const rest = this.#queue.slice(this.#head)
    this.#queue = []
    this.#head = 0
    for (const waiter of rest) waiter.reject(error)
  }
}
