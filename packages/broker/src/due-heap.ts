/** What is due first comes out first: a binary heap over due times. Owns no clock. */
import { assert } from '@sagalog/kernel'

interface Entry<Item> {
  readonly dueMs: number
  readonly item: Item
}

export class DueHeap<Item> {
  private entries: Entry<Item>[] = []

  get size(): number {
    return this.entries.length
  }

  get nextDueMs(): number | undefined {
    return this.entries[0]?.dueMs
  }

  push(dueMs: number, item: Item): void {
    const entry = { dueMs, item }
    let index = this.entries.push(entry) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.at(parent).dueMs <= dueMs) break
      this.entries[index] = this.at(parent)
      index = parent
    }
    this.entries[index] = entry
  }

  /** Takes the first item when it is due. */
  pop(nowMs: number): Item | undefined {
    const top = this.entries[0]
    if (top === undefined || top.dueMs > nowMs) return undefined
    const last = this.entries.pop()
    assert(last !== undefined, 'a heap with a top has a last entry')
    if (this.entries.length > 0) this.sink(last)
    return top.item
  }

  /** Drops what is not wanted any more. */
  retain(isWanted: (item: Item) => boolean): void {
    // A sorted list is a heap.
    this.entries = this.entries
      .filter((entry) => isWanted(entry.item))
      .sort((left, right) => left.dueMs - right.dueMs)
  }

  private sink(entry: Entry<Item>): void {
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= this.entries.length) break
      const right = child + 1
      if (right < this.entries.length && this.at(right).dueMs < this.at(child).dueMs) child = right
      if (this.at(child).dueMs >= entry.dueMs) break
      this.entries[index] = this.at(child)
      index = child
    }
    this.entries[index] = entry
  }

  private at(index: number): Entry<Item> {
    const entry = this.entries[index]
    assert(entry !== undefined, 'a heap index is inside the heap')
    return entry
  }
}
