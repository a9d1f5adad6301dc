/**
 * A fold whose whole state is facts: what it restates is what it saves, and no body is pinned
 * unless it says so. Each fold adds its own state and how records change it.
 */
import type { Draft, Fold, LogRecord, Position, RecordKind } from '@sagalog/kernel'
import { loadRecords, saveRecords } from './saved-records.js'

export abstract class FactFold implements Fold {
  abstract readonly name: string
  abstract readonly kinds: readonly RecordKind[]
  abstract evolve(record: LogRecord): void
  abstract restate(): Iterable<Draft>

  needs(): Position | undefined {
    return undefined
  }

  needsBody(_record: LogRecord): boolean {
    return false
  }

  save(): Iterable<Buffer> {
    return saveRecords([...this.restate()])
  }

  load(chunks: Iterable<Buffer>): void {
    loadRecords(chunks, (record) => this.evolve(record))
  }
}
