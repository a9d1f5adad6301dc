/**
 * Two ends joined in memory. Items are handed over as they are, in the call of `send` itself,
 * unless the receiver is at work (it sent something, and the answer came back at once): then they
 * wait their turn, so that a receiver never sees an item inside an earlier one.
 *
 * Invariant: what `send` took is received before the close is heard; an end that closed receives
 * nothing more, and hears its own close too.
 */
import type { Channel } from '@sagalog/kernel'

class PairEnd<Item> implements Channel<Item> {
  readonly remote: string
  #peer: PairEnd<Item> | undefined
  readonly #waiting: Item[] = []
  #receive: ((item: Item) => void) | undefined
  #listener: ((reason: string) => void) | undefined
  /** Set once the channel is closed, from either end. */
  #reason: string | undefined
  #isHeard = false
  #isAtWork = false

  constructor(remote: string) {
    this.remote = remote
  }

  join(peer: PairEnd<Item>): void {
    this.#peer = peer
  }

  send(item: Item): boolean {
    if (this.#reason !== undefined) return false
    const peer = this.#peer
    if (peer !== undefined) peer.#take(item)
    return true
  }

  onItem(receive: (item: Item) => void): void {
    this.#receive = receive
    this.#work()
  }

  onClose(listener: (reason: string) => void): void {
    this.#listener = listener
    this.#work()
  }

  close(reason: string): void {
    // What is still here goes nowhere, also when the other end had closed first.
    this.#waiting.length = 0
    if (this.#reason !== undefined) return this.#work()
    const peer = this.#peer
    this.#end(reason)
    if (peer !== undefined) peer.#end(reason)
  }

  #take(item: Item): void {
    const receive = this.#receive
    if (this.#isAtWork || receive === undefined || this.#waiting.length > 0) {
      this.#waiting.push(item)
      return this.#work()
    }
    // The way of nearly every item: nothing waits before it.
    this.#isAtWork = true
    try {
      receive(item)
    } finally {
      this.#isAtWork = false
    }
    if (this.#waiting.length > 0 || this.#reason !== undefined) this.#work()
  }

  #end(reason: string): void {
    this.#reason = reason
    this.#work()
  }

  #work(): void {
    if (this.#isAtWork) return
    this.#isAtWork = true
    try {
      while (this.#receive !== undefined) {
        const item = this.#waiting.shift()
        if (item === undefined) break
        this.#receive(item)
      }
      if (this.#reason === undefined || this.#isHeard || this.#listener === undefined) return
      // Without a receiver yet, the close waits behind the items.
      if (this.#waiting.length > 0) return
      this.#isHeard = true
      this.#listener(this.#reason)
    } finally {
      this.#isAtWork = false
    }
  }
}

/** Two channels; what one sends the other receives. */
export function channelPair<Item>(
  names: readonly [string, string] = ['memory:left', 'memory:right'],
): [Channel<Item>, Channel<Item>] {
  const left = new PairEnd<Item>(names[1])
  const right = new PairEnd<Item>(names[0])
  left.join(right)
  right.join(left)
  return [left, right]
}
