/**
 * Counts the bytes of frames that have not arrived whole, over all the connections of one listener:
 * each may hold a frame, all together no more than was said.
 */
import { assert } from '@sagalog/kernel'

export class InboundBytes {
  readonly #max: number
  #held = 0

  constructor(max: number) {
    assert(max > 0, 'there is room for some bytes')
    this.#max = max
  }

  get held(): number {
    return this.#held
  }

  /** Notes that a connection holds so many bytes more, or less; false when it is too much now. */
  change(bytes: number): boolean {
    this.#held += bytes
    return bytes <= 0 || this.#held <= this.#max
  }
}
