/**
 * A growing list of log positions, eight bytes each: the index entry of a queue or a stream. Pages
 * of one size, so that growing never copies more than one; a list of one entry, as most streams of
 * some categories are, has no page yet. Entries may be let go from its front; indexes stay.
 * Invariant: positions ascend; entries stand from `start` on.
 */
import { assert, type Position } from '@sagalog/kernel'

const FIRST_CAPACITY = 4
/** A power of two. */
const PAGE_ENTRIES = 4_096
/** Shared by all lists that have none, and never changed. */
const NO_PAGES: Float64Array[] = []
/** In the place of pages whose entries were let go. */
const GONE = new Float64Array(0)

export class PositionList {
  private pages: Float64Array[] = NO_PAGES
  private first = 0
  private from = 0
  private count = 0

  /** The index behind the last entry. */
  get length(): number {
    return this.count
  }

  /** The index of the first entry that is kept; `length` when none is. */
  get start(): number {
    return this.from
  }

  push(position: Position): void {
    if (this.count === 0) this.first = position
    else this.roomForOne()[this.count % PAGE_ENTRIES] = position
    this.count += 1
  }

  /** The page that takes the next entry, made or grown as needed. */
  private roomForOne(): Float64Array {
    if (this.pages === NO_PAGES) {
      this.pages = []
      if (this.count === 1) this.pages.push(new Float64Array(FIRST_CAPACITY).fill(this.first, 0, 1))
    }
    const index = Math.floor(this.count / PAGE_ENTRIES)
    const place = this.count % PAGE_ENTRIES
    while (this.pages.length < index) this.pages.push(GONE)
    const page = this.pages[index]
    if (page !== undefined && place < page.length) return page
    // A page that follows a whole one fills up as well, most likely.
    const isNext = page === undefined && place === 0
    let entries = isNext ? PAGE_ENTRIES : Math.max(FIRST_CAPACITY, (page?.length ?? 0) * 2)
    while (entries <= place) entries *= 2
    const larger = new Float64Array(entries)
    if (page !== undefined) larger.set(page)
    this.pages[index] = larger
    return larger
  }

  /** Lets go what stands before `index`, which may lie behind the end: then nothing is kept. */
  startAt(index: number): void {
    assert(index >= this.from, 'a list never gets back what it let go')
    this.from = index
    if (index > this.count) this.count = index
  }

  /** Gives back the memory of what was let go. */
  trim(): void {
    const whole = Math.min(Math.floor(this.from / PAGE_ENTRIES), this.pages.length)
    for (let page = whole - 1; page >= 0 && this.pages[page] !== GONE; page -= 1)
      this.pages[page] = GONE
  }

  at(index: number): Position {
    assert(index >= this.from && index < this.count, 'an index entry is inside its list')
    return this.entry(index)
  }

  /** An entry that was let go is given too, until the list is trimmed. */
  private entry(index: number): Position {
    if (index === 0) return this.first as Position
    const page = this.pages[Math.floor(index / PAGE_ENTRIES)]
    return page?.[index % PAGE_ENTRIES] as Position
  }

  /**
   * Entries from `from` up to `to` at most, as far as they stand in one page: a view. Those that
   * were let go since the last `trim` are still there.
   */
  page(from: number, to: number): Float64Array {
    assert(to <= this.count, 'a page is inside its list')
    if (this.pages === NO_PAGES) return Float64Array.of(this.first).subarray(from, to)
    const start = from % PAGE_ENTRIES
    const page = this.pages[Math.floor(from / PAGE_ENTRIES)]
    assert(page !== undefined && page !== GONE, 'a page is inside its list')
    return page.subarray(start, Math.min(PAGE_ENTRIES, start + to - from))
  }

  /** As `countBelow`; entries that were let go since the last `trim` count from `from` on. */
  countBelow(limit: number, from = this.from): number {
    let low = from
    let high = this.count
    // Most who ask want the end of the list.
    if (high === low || this.entry(high - 1) < limit) return high
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.entry(middle) < limit) low = middle + 1
      else high = middle
    }
    return low
  }

  pushBytes(bytes: Buffer): void {
    assert(bytes.length % 8 === 0, 'a saved list holds whole entries')
    // The bytes may start anywhere in their pool, a view must start at a multiple of eight.
    const copy = new Uint8Array(bytes)
    for (const value of new Float64Array(copy.buffer)) this.push(value as Position)
  }
}

/** How many entries, let go or not, are below `limit`: a binary search, because they ascend. */
export const countBelow = (list: PositionList, limit: number): number => list.countBelow(limit)
