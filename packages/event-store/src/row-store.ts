/**
 * Where a projection keeps its rows and how far it has come, as a port: in memory, as streams of
 * the event store itself, or in a database of the user's. Rows are JSON. Invariant: a part's
 * checkpoint and the rows that belong to it change together, and only from the checkpoint that the
 * writer knew.
 */
import type { EventPosition } from './event-store-port.js'

export interface Checkpoint {
  /** Everything before it is in the rows. */
  readonly next: EventPosition
  /** Why streams are left out, by `category/stream`. */
  readonly parked: Readonly<Record<string, string>>
}

export interface RowsChange {
  /** One of the shares that instances take; '*' when there is one for all. */
  readonly part: string
  /** The checkpoint that the change goes on from; undefined for the first one. */
  readonly before: Checkpoint | undefined
  readonly after: Checkpoint
  /** Rows by key; undefined takes the row away. */
  readonly rows: ReadonlyMap<string, unknown>
}

/** The rows of one version of one projection. */
export interface RowSpace {
  checkpoint(part: string): Promise<Checkpoint | undefined>
  /** The rows that are there. */
  read(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>>
  /** All of it, or nothing and false when the part's checkpoint is not `before` any more. */
  write(change: RowsChange): Promise<boolean>
  all(): AsyncIterable<readonly [key: string, row: unknown]>
}

export interface RowStore {
  space(projection: string, version: number): RowSpace
  /** The version that readers get; undefined before the first. */
  active(projection: string): Promise<number | undefined>
  /** False, and nothing changed, when `before` is not the active version any more. */
  activate(projection: string, version: number, before: number | undefined): Promise<boolean>
}
