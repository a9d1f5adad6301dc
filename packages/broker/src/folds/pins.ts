/**
 * Where pinned bodies are: how many in each part of the log. It answers for the lowest one in the
 * time of a few thousand steps, however many there are, and exactly enough for what asks: which
 * part of the log can go.
 */
import { assert, position, type Position } from '@sagalog/kernel'

/** Bytes of one part, a power of two; a segment has many. */
const PART_BYTES = 1 << 20

export class Pins {
  private readonly counts = new Map<number, number>()

  add(at: Position): void {
    const part = Math.floor(at / PART_BYTES)
    this.counts.set(part, (this.counts.get(part) ?? 0) + 1)
  }

  remove(at: Position): void {
    const part = Math.floor(at / PART_BYTES)
    const count = this.counts.get(part)
    assert(count !== undefined, 'what is unpinned was pinned')
    if (count === 1) this.counts.delete(part)
    else this.counts.set(part, count - 1)
  }

  clear(): void {
    this.counts.clear()
  }

  /** Nothing is pinned below it; undefined when nothing is pinned at all. */
  get lowest(): Position | undefined {
    let lowest: number | undefined
    for (const part of this.counts.keys()) if (part < (lowest ?? part + 1)) lowest = part
    return lowest === undefined ? undefined : position(lowest * PART_BYTES)
  }
}
