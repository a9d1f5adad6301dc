/**
 * The streams that are not open: archived or deleted, and why. A stream-state record is set-valued.
 */
import type { LogRecord } from '@sagalog/kernel'
import {
  readStreamStateFact,
  streamStateDraft,
  type StreamStateFact,
} from '../records/stream-facts.js'
import { FactFold } from './fact-fold.js'

/** What is known of a stream that is not open. */
export interface ClosedStream extends StreamStateFact {
  readonly state: 'archived' | 'deleted'
}

const keyOf = (category: string, stream: string): string => `${category}\u0000${stream}`

const isClosed = (fact: StreamStateFact): fact is ClosedStream => fact.state !== 'open'

export class StreamStatesFold extends FactFold {
  override readonly name = 'stream-states'
  override readonly kinds = ['stream-state'] as const
  private readonly closed = this.table<string, ClosedStream>(streamStateDraft)

  /** Undefined for a stream that is open. */
  get(category: string, stream: string): ClosedStream | undefined {
    // Asked for every event that is read, and most stores have none.
    if (this.closed.size === 0) return undefined
    return this.closed.get(keyOf(category, stream))
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') this.closed.clear()
    if (record.kind !== 'stream-state') return
    const fact = readStreamStateFact(record)
    const key = keyOf(fact.category, fact.stream)
    if (isClosed(fact)) this.closed.set(key, fact)
    else this.closed.delete(key)
  }
}
