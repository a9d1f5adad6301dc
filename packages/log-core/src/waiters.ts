/** Those who wait for a watermark, in order of the position they wait for. */
import { assert, type Position } from '@sagalog/kernel'

interface Waiter {
  readonly end: Position
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class Waiters {
  #queue: Waiter[] = []
  /** Those before it have been released; the queue is cut now and then, not at each release. */
  #head = 0

  get isEmpty(): boolean {
    return this.#head === this.#queue.length
  }

  wait(end: Position): Promise<void> {
    return new Promise((resolve, reject) => {
      let at = this.#queue.length
      // Nearly always in order already; a wait for an older position walks back to its place.
      while (at > this.#head && (this.#queue[at - 1]?.end ?? 0) > end) at -= 1
      const waiter = { end, resolve, reject }
      if (at === this.#queue.length) this.#queue.push(waiter)
      else this.#queue.splice(at, 0, waiter)
    })
  }

  release(watermark: Position): void {
    for (; this.#head < this.#queue.length; this.#head += 1) {
      const waiter = this.#queue[this.#head]
      assert(waiter !== undefined, 'the head is inside the queue')
      if (waiter.end > watermark) break
      waiter.resolve()
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
