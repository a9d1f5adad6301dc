/** A growing list of log positions, eight bytes each: the index entry of a queue or a stream. */
import { assert, type Position } from '@sagalog/kernel'

const FIRST_CAPACITY = 8

export class PositionList {
  private entries = new Float64Array(FIRST_CAPACITY)
  private count = 0

  get length(): number {
    return this.count
  }

  push(position: Position): void {
    if (this.count === this.entries.length) {
      const larger = new Float64Array(this.entries.length * 2)
      larger.set(this.entries)
      this.entries = larger
    }
    this.entries[this.count] = position
    this.count += 1
  }

  at(index: number): Position {
    assert(index >= 0 && index < this.count, 'an index entry is inside its list')
    return this.entries[index] as Position
  }

  /** The entries as bytes, a copy. */
  toBytes(): Buffer {
    return Buffer.from(this.entries.slice(0, this.count).buffer)
  }

  pushBytes(bytes: Buffer): void {
    assert(bytes.length % 8 === 0, 'a saved list holds whole entries')
    // The bytes may start anywhere in their pool, a view must start at a multiple of eight.
    const copy = new Uint8Array(bytes)
    for (const value of new Float64Array(copy.buffer)) this.push(value as Position)
  }
}

/** How many of the ascending entries are below `limit`: a binary search. */
export function countBelow(list: PositionList, limit: number): number {
  let low = 0
  let high = list.length
  // Most who ask want the end of the list.
  if (high === 0 || list.at(high - 1) < limit) return high
  while (low < high) {
    const middle = (low + high) >> 1
    if (list.at(middle) < limit) low = middle + 1
    else high = middle
  }
  return low
}
