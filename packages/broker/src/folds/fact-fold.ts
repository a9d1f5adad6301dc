/**
 * A fold whose whole state is facts, in tables: what it restates is what it saves, and no body is
 * pinned unless it says so. Each fold adds its tables and how records change them; a fact that is
 * kept elsewhere is neither saved nor restated.
 */
import type { Draft, Fold, LogRecord, Position, RecordKind } from '@sagalog/kernel'
import { SavedMap } from '@sagalog/log-core'
import { loadRecords, recordsChunk } from './saved-records.js'

/** Facts by key; `Key` and `Fact` are the fold's own. */
export type FactTable<Key, Fact> = SavedMap<Key, Fact, Draft>

export abstract class FactFold implements Fold {
  abstract readonly name: string
  abstract readonly kinds: readonly RecordKind[]
  private readonly tables: Pick<SavedMap<unknown, unknown, Draft>, 'live' | 'save'>[] = []
  abstract evolve(record: LogRecord): void

  /** A table of the fold; `draftOf` makes the set-valued record that holds an entry. */
  protected table<Key, Fact>(draftOf: (fact: Fact, key: Key) => Draft): FactTable<Key, Fact> {
    const table = new SavedMap<Key, Fact, Draft>(draftOf)
    this.tables.push(table)
    return table
  }

  *restate(): Iterable<Draft> {
    for (const table of this.tables) yield* table.live()
  }

  needs(): Position | undefined {
    return undefined
  }

  needsBody(_record: LogRecord): boolean {
    return false
  }

  save(): Iterator<Buffer> {
    const saves = this.tables.map((table) => table.save())
    return chunksOf(saves)
  }

  load(chunk: Buffer): void {
    loadRecords(chunk, (record) => this.evolve(record))
  }
}

/** The chunks of saves that have begun, table by table; its end is theirs. */
function chunksOf(saves: readonly Generator<readonly Draft[], void>[]): Iterator<Buffer> {
  let current = 0
  return {
    next() {
      for (; current < saves.length; current += 1) {
        const slice = saves[current]?.next()
        if (slice?.done === false) return { done: false, value: recordsChunk(slice.value) }
      }
      return { done: true, value: undefined }
    },
    return() {
      for (const save of saves) save.return()
      return { done: true, value: undefined }
    },
  }
}
