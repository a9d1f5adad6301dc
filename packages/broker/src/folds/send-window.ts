/**
 * The sends of one producer that are stored, from its floor on: a ring by number, as wide as its
 * sends in flight are far apart, and no wider than a number can say.
 */
import { position, type Position, queueOffset } from '@sagalog/kernel'
import type { SendNumber } from '@sagalog/protocol'
import type { StoredSend } from '../records/producer-facts.js'

const PLACES_MIN = 8
/** Of one place: position, which is -1 for none, queue and offset. */
const PARTS = 3
const NONE = -1

export class SendWindow {
  /** Every send below it has ended. */
  floor: number
  /** The newest send that is stored. */
  lastAt: Position
  /** Behind the highest number that is stored. */
  private top: number
  private ring = new Float64Array(PLACES_MIN * PARTS).fill(NONE)

  constructor(floor: number, lastAt: Position) {
    this.floor = floor
    this.lastAt = lastAt
    this.top = floor
  }

  /** Room for so many numbers in a row. */
  get places(): number {
    return this.ring.length / PARTS
  }

  has(number: number): boolean {
    const isInside = number >= this.floor && number < this.top
    return isInside && this.ring[this.at(number)] !== NONE
  }

  get(number: number): StoredSend | undefined {
    if (!this.has(number)) return undefined
    const at = this.at(number)
    return {
      position: position(this.ring[at] ?? 0),
      queueId: this.ring[at + 1] ?? 0,
      queueOffset: queueOffset(this.ring[at + 2] ?? 0),
    }
  }

  /** The first place of a number stands. */
  store({ floor, number }: SendNumber, place: StoredSend): void {
    if (floor > this.floor) this.raise(floor)
    if (number < this.floor || this.has(number)) return
    if (number - this.floor >= this.places) this.widen(number)
    const at = this.at(number)
    this.ring[at] = place.position
    this.ring[at + 1] = place.queueId
    this.ring[at + 2] = place.queueOffset
    if (number >= this.top) this.top = number + 1
    if (place.position > this.lastAt) this.lastAt = place.position
  }

  *all(): Generator<StoredSend & { readonly number: number }, void> {
    for (let number = this.floor; number < this.top; number += 1) {
      const place = this.get(number)
      if (place !== undefined) yield { ...place, number }
    }
  }

  private at(number: number): number {
    return (number % this.places) * PARTS
  }

  private raise(floor: number): void {
    const end = Math.min(floor, this.top)
    for (let number = this.floor; number < end; number += 1) this.ring[this.at(number)] = NONE
    this.floor = floor
    if (this.top < floor) this.top = floor
  }

  /** A floor never falls so far behind that this has no end: a number says how far it may be. */
  private widen(number: number): void {
    const before = [...this.all()]
    let places = this.places
    while (number - this.floor >= places) places *= 2
    this.ring = new Float64Array(places * PARTS).fill(NONE)
    for (const send of before) {
      const at = this.at(send.number)
      this.ring[at] = send.position
      this.ring[at + 1] = send.queueId
      this.ring[at + 2] = send.queueOffset
    }
  }
}
