/**
 * Which broker has which half message, from the reply to it or from the broker's question about it
 * until it is decided: a confirmation names a half by its place, and every broker has such places.
 */
import { HALVES_KNOWN_MAX } from './limits.js'

export class HalfBrokers {
  readonly #addresses = new Map<string, string>()

  /** `address` is `host:port`. When there are too many, the oldest is left to the check-back. */
  learn(transactionId: string, address: string): void {
    this.#addresses.delete(transactionId)
    this.#addresses.set(transactionId, address)
    const [oldest] = this.#addresses.keys()
    if (this.#addresses.size > HALVES_KNOWN_MAX && oldest !== undefined)
      this.#addresses.delete(oldest)
  }

  of(transactionId: string): string | undefined {
    return this.#addresses.get(transactionId)
  }

  forget(transactionId: string): void {
    this.#addresses.delete(transactionId)
  }
}
