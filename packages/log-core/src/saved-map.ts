/**
 * A map that can be saved over many turns while it goes on changing: a running save gives the
 * entries as they were when it began. It gives each entry as it comes to it; an entry that changes
 * first is taken just before its first change (copy on update, as in Cao et al., "Fast Checkpoint
 * Recovery Algorithms for Frequently Consistent Applications", SIGMOD 2011).
 * Invariant: every entry of the beginning is given at least once, always as it was then.
 */
import { assert } from '@sagalog/kernel'
import { SAVE_SLICE_ENTRIES } from './limits.js'

interface Saving<K, S> {
  /** Keys that were added, changed or deleted since the save began. */
  readonly touched: Set<K>
  /** What the touched ones of the beginning were, not given yet. */
  kept: S[]
}

export class SavedMap<K, V, S> extends Map<K, V> {
  private readonly take: (value: V, key: K) => S
  private readonly sliceEntries: number
  private saving: Saving<K, S> | undefined

  /** `take` makes what is saved of an entry; it must not share what changes later. */
  constructor(take: (value: V, key: K) => S, sliceEntries: number = SAVE_SLICE_ENTRIES) {
    super()
    this.take = take
    this.sliceEntries = sliceEntries
  }

  override set(key: K, value: V): this {
    if (this.saving !== undefined) this.changing(key)
    return super.set(key, value)
  }

  override delete(key: K): boolean {
    if (this.saving !== undefined) this.changing(key)
    return super.delete(key)
  }

  override clear(): void {
    if (this.saving !== undefined) for (const key of this.keys()) this.changing(key)
    super.clear()
  }

  /** To be called before the value of `key` is changed in place. */
  changing(key: K): void {
    const { saving } = this
    if (saving === undefined || saving.touched.has(key)) return
    saving.touched.add(key)
    const value = this.get(key)
    // What was given already is given once more: nothing remembers where the save is.
    if (value !== undefined) saving.kept.push(this.take(value, key))
  }

  /**
   * The entries as of this call, in slices that are taken when they are asked for. A slice may be
   * empty, so that no single one takes long. One save at a time; it ends with its iterator.
   */
  save(): Generator<readonly S[], void> {
    assert(this.saving === undefined, 'one save of a map at a time')
    const run = this.run()
    // The first step only begins: from here on changes are seen, and `return` ends it.
    run.next()
    return run
  }

  private *run(): Generator<readonly S[], void> {
    const saving: Saving<K, S> = { touched: new Set(), kept: [] }
    const entries = this.size
    this.saving = saving
    try {
      yield []
      yield* this.visit(saving, entries)
      while (saving.kept.length > 0) yield saving.kept.splice(-this.sliceEntries)
    } finally {
      this.saving = undefined
    }
  }

  /** A map is visited in the order of its keys' coming: those of the beginning stand in front. */
  private *visit(saving: Saving<K, S>, entries: number): Generator<readonly S[], void> {
    let slice: S[] = []
    let visited = 0
    for (const [key, value] of this) {
      if (visited === entries) break
      if (!saving.touched.has(key)) slice.push(this.take(value, key))
      visited += 1
      if (visited % this.sliceEntries > 0) continue
      yield slice
      while (saving.kept.length > 0) yield saving.kept.splice(-this.sliceEntries)
      slice = []
    }
    yield slice
  }

  /**
   * The live entries one by one, each as of when it is taken. One that is added meanwhile need not
   * be among them, so this ends however fast the map grows.
   */
  *live(): Generator<S, void> {
    let left = this.size
    for (const [key, value] of this) {
      if (left === 0) return
      left -= 1
      yield this.take(value, key)
    }
  }
}
