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
/** Of a saved entry: a little-endian double. */
export const ENTRY_BYTES = 8
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
  entry(index: number): Position {
    if (index === 0) return this.first as Position
    const page = this.pages[Math.floor(index / PAGE_ENTRIES)]
    return page?.[index % PAGE_ENTRIES] as Position
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

  /** Entries as they are saved, from `start` up to `end` of the bytes. */
  pushSaved(source: Buffer, start: number, end: number): void {
    assert((end - start) % ENTRY_BYTES === 0, 'a saved list holds whole entries')
    for (let at = start; at < end; at += ENTRY_BYTES) this.push(source.readDoubleLE(at) as Position)
  }
}

/** How many entries, let go or not, are below `limit`: a binary search, because they ascend. */
export const countBelow = (list: PositionList, limit: number): number => list.countBelow(limit)
