/**
 * The numbers by which our code knows the queues of a topic. A cluster has a queue 0 on each of its
 * brokers; above this file a queue is one number, whoever has it.
 *
 * Invariant: a number means the same queue as long as this connection lives. Queues get numbers in
 * the order of their broker's name and their id when they are first seen, so on a cluster whose
 * routes do not change every client numbers them alike.
 */
import { assert } from '@sagalog/kernel'

/** A queue as the cluster knows it. */
export interface QueuePlace {
  readonly brokerName: string
  /** Its id at that broker. */
  readonly queueId: number
}

const keyOf = ({ brokerName, queueId }: QueuePlace): string => `${queueId}@${brokerName}`

export class QueueNumbers {
  readonly #places: QueuePlace[] = []
  readonly #numbers = new Map<string, number>()

  /** How many numbers there are; the queues of brokers that went away keep theirs. */
  get size(): number {
    return this.#places.length
  }

  /** The number of a queue; a new one when it has none. */
  of(place: QueuePlace): number {
    const key = keyOf(place)
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const number = this.#places.push(place) - 1
    this.#numbers.set(key, number)
    return number
  }

  /** The queue with a number that `of` gave. */
  place(number: number): QueuePlace {
    const place = this.#places[number]
    assert(place !== undefined, 'a queue has the number')
    return place
  }
}
