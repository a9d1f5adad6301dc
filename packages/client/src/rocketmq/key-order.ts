/**
 * Sends of one key one after the other: Apache's broker stores what it gets at once in any order,
 * so the next one of a key leaves only when the one before it has ended, well or not.
 */
import { ClientError } from '../errors.js'
import { REQUESTS_PENDING_MAX } from '../limits.js'

export class KeyOrder {
  /** The end of the last send of each key that has one under way. */
  readonly #ends = new Map<string, Promise<void>>()
  #waiting = 0

  /** Runs `send` when it is its turn. Rejects as OVERLOADED when too many wait. */
  async inTurn<A>(topic: string, key: string, send: () => Promise<A>): Promise<A> {
    const name = `${topic} ${key}`
    const before = this.#ends.get(name)
    if (before !== undefined && this.#waiting >= REQUESTS_PENDING_MAX) {
      const reason = `${this.#waiting} messages wait for earlier ones of their keys`
      throw new ClientError('OVERLOADED', { request: `a send to ${topic}`, reason })
    }
    const sending = before === undefined ? send() : this.#after(before, send)
    const end = sending.then(
      () => {},
      () => {},
    )
    this.#ends.set(name, end)
    try {
      return await sending
    } finally {
      if (this.#ends.get(name) === end) this.#ends.delete(name)
    }
  }

  async #after<A>(before: Promise<void>, send: () => Promise<A>): Promise<A> {
    this.#waiting += 1
    await before
    this.#waiting -= 1
    return await send()
  }
}
