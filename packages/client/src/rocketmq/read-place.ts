/**
 * How far a queue is read: what was fetched and is not settled, and from where on nothing is known.
 * RocketMQ keeps one offset of a queue, so it is told the lowest that is not settled; what was
 * settled above it comes again when the queue changes hands.
 *
 * Invariant: pending offsets ascend, each below the next one to fetch.
 */
import { assert, type Position, queueOffset, type QueueOffset } from '@sagalog/kernel'
import { storedPhysicalOffset, storedQueueOffset } from '@sagalog/protocol'

export class ReadPlace {
  /** Offset to where the message stands in its broker's log. */
  readonly #pending = new Map<QueueOffset, Position>()
  #next: QueueOffset

  constructor(begin: QueueOffset) {
    this.#next = begin
  }

  /** Everything below is settled, or was not meant for this group. */
  get watermark(): QueueOffset {
    for (const offset of this.#pending.keys()) return offset
    return this.#next
  }

  /** Messages that are fetched and not settled. */
  get pending(): number {
    return this.#pending.size
  }

  /** Takes note of what a pull brought, and of where the broker says that the next one begins. */
  fetched(messages: readonly Buffer[], nextBegin: QueueOffset): void {
    for (const message of messages) {
      const offset = storedQueueOffset(message, 0)
      // What was seen before is pending or settled already.
      if (offset < this.#next) continue
      this.#pending.set(offset, storedPhysicalOffset(message, 0))
      this.#next = queueOffset(offset + 1)
    }
    if (nextBegin > this.#next) this.#next = nextBegin
  }

  /** False for an offset that was not fetched from here, whatever became of it elsewhere. */
  isFetched(offset: QueueOffset): boolean {
    return offset < this.#next
  }

  /** Undefined for an offset that is settled or was never fetched. */
  positionOf(offset: QueueOffset): Position | undefined {
    return this.#pending.get(offset)
  }

  settle(offset: QueueOffset): void {
    assert(this.#pending.delete(offset), 'a message is settled once')
  }
}
