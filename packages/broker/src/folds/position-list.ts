/**
 * A growing list of log positions, eight bytes each: the index entry of a queue or a stream. Pages
 * of one size, so that growing never copies more than one; a list of one entry, as most streams of
 * some categories are, has no page yet. Entries may be let go from its front; indexes stay.
 * Invariant: positions ascend; entries stand from `start` on.
 */
import { assert, type Position } from '@sagalog/kernel'

/** A power of two. */
const PAGE_ENTRIES = 4_096
/** Of a saved entry: a little-endian double. */
export const ENTRY_BYTES = 8
/** A page of up to so many is a plain array of doubles: a typed one costs 200 bytes more. */
const PLAIN_ENTRIES = 64
type Page = Float64Array | number[]
/** What a plain page begins with and grows by: joined, such arrays stay arrays of doubles. */
const ROOM: readonly number[] = [0.5, 0.5, 0.5, 0.5]
/** Shared by all lists that have none, and never changed. */
const NO_PAGES: Page[] = []
const NO_PAGE: Page = []
/** In the place of pages whose entries were let go. */
const GONE = new Float64Array(0)

export class PositionList {
  /** Page 0: most lists have no other, and need no list of pages. */
  private head: Page = NO_PAGE
  /** Those behind it, from page 1. */
  private pages: Page[] = NO_PAGES
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
  private roomForOne(): Page {
    const index = Math.floor(this.count / PAGE_ENTRIES)
    const place = this.count % PAGE_ENTRIES
    if (index === 0) {
      if (place < this.head.length) return this.head
      this.head = this.head.length === 0 ? newPage(place) : grown(this.head, place)
      if (place === 1) this.head[0] = this.first
      return this.head
    }
    if (this.pages === NO_PAGES) this.pages = []
    while (this.pages.length < index - 1) this.pages.push(GONE)
    const page = this.pages[index - 1]
    if (page !== undefined && place < page.length) return page
    const larger = page === undefined ? newPage(place) : grown(page, place)
    this.pages[index - 1] = larger
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
    const whole = Math.floor(this.from / PAGE_ENTRIES)
    if (whole > 0) this.head = GONE
    const last = Math.min(whole - 1, this.pages.length) - 1
    for (let page = last; page >= 0 && this.pages[page] !== GONE; page -= 1) this.pages[page] = GONE
  }

  at(index: number): Position {
    assert(index >= this.from && index < this.count, 'an index entry is inside its list')
    return this.entry(index)
  }

  /** An entry that was let go is given too, until the list is trimmed. */
  entry(index: number): Position {
    if (index === 0) return this.first as Position
    if (index < PAGE_ENTRIES) return this.head[index] as Position
    const page = this.pages[Math.floor(index / PAGE_ENTRIES) - 1]
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

function newPage(place: number): Page {
  // A page that follows a whole one fills up as well, most likely.
  if (place === 0) return new Float64Array(PAGE_ENTRIES)
  if (place < ROOM.length) return ROOM.slice()
  return typedPage(place)
}

/** The page with room at `place`, which may lie far behind its end: what was between is gone. */
function grown(page: Page, place: number): Page {
  const isPlain = Array.isArray(page) && page.length < PLAIN_ENTRIES
  if (isPlain && place < page.length + ROOM.length) return page.concat(ROOM)
  const larger = typedPage(place)
  larger.set(page)
  return larger
}

const typedPage = (place: number): Float64Array => new Float64Array(2 ** (32 - Math.clz32(place)))
