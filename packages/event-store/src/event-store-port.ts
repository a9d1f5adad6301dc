/**
 * The port behind which a store of streams stands: bytes in, bytes out, versions checked. The typed
 * event store is written over it once; the broker, memory and any other backend pass one suite.
 * Invariant: versions of a stream are dense from 1, an append is taken whole or not at all, and an
 * append with an expected version is linearizable.
 */
import type { StreamAppend, StreamVersion } from '@sagalog/kernel'
import type { StoredEvent } from '@sagalog/protocol'

export interface PageRequest {
  readonly category: string
  readonly stream: string
  /** The version of the first event wanted; 1 is the oldest. */
  readonly fromVersion: StreamVersion
  readonly maxEvents: number
}

export interface StreamPage {
  /** The version of the newest event in the stream, 0 when it has none. */
  readonly version: StreamVersion
  /**
   * In order; fewer than wanted when a bound of the backend cut the page, but never none before the
   * head.
   */
  readonly events: readonly StoredEvent[]
}

/**
 * `appended` is the stream's new version; `conflict` the version it had instead of the expected
 * one.
 */
export type AppendResult =
  | { readonly appended: StreamVersion }
  | { readonly conflict: StreamVersion }

/** Failures reject with an EventStoreError. */
export interface EventStorePort {
  /** Makes the category when it is not there; its number of queues is fixed by the first call. */
  ensureCategory(category: string, options: { readonly queues: number }): Promise<void>
  readPage(request: PageRequest): Promise<StreamPage>
  append(append: StreamAppend): Promise<AppendResult>
}
