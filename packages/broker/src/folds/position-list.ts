/**
 * A growing list of log positions, eight bytes each: the index entry of a queue or a stream. Pages
 * of one size, so that growing never copies more than one; a list of one entry, as most streams of
 * some categories are, has no page yet.
 * Invariant: positions ascend.
 */
import { assert, type Position } from '@sagalog/kernel'

const FIRST_CAPACITY = 4
/** A power of two. */
const PAGE_ENTRIES = 4_096
/** Shared by all lists that have none, and never changed. */
const NO_PAGES: Float64Array[] = []

export class PositionList {
  private pages: Float64Array[] = NO_PAGES
  private first = 0
  private count = 0

  get length(): number {
    return this.count
  }

  push(position: Position): void {
    if (this.count === 0) this.first = position
    else this.roomForOne()[this.count % PAGE_ENTRIES] = position
    this.count += 1
  }

  /** The page that takes the next entry, made or grown as needed. */
  private roomForOne(): Float64Array {
    if (this.pages === NO_PAGES) {
      this.pages = [new Float64Array(FIRST_CAPACITY)]
      this.pages[0]?.fill(this.first, 0, 1)
    }
    const index = Math.floor(this.count / PAGE_ENTRIES)
    const page = this.pages[index]
    if (page === undefined) {
      const next = new Float64Array(PAGE_ENTRIES)
      this.pages.push(next)
      return next
    }
    if (this.count % PAGE_ENTRIES < page.length) return page
    const larger = new Float64Array(page.length * 2)
    larger.set(page)
    this.pages[index] = larger
    return larger
  }

  at(index: number): Position {
    assert(index >= 0 && index < this.count, 'an index entry is inside its list')
    if (index === 0) return this.first as Position
    const page = this.pages[Math.floor(index / PAGE_ENTRIES)]
    return page?.[index % PAGE_ENTRIES] as Position
  }

  /** Entries from `from` up to `to` at most, as far as they stand in one page: a view. */
  page(from: number, to: number): Float64Array {
    if (this.pages === NO_PAGES) {
      assert(to <= this.count, 'a page is inside its list')
      return Float64Array.of(this.first).subarray(from, to)
    }
    const start = from % PAGE_ENTRIES
    const page = this.pages[Math.floor(from / PAGE_ENTRIES)]
    assert(page !== undefined && to <= this.count, 'a page is inside its list')
    return page.subarray(start, Math.min(PAGE_ENTRIES, start + to - from))
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
