/**
 * The streams that are not open: archived or deleted, and why. A stream-state record is set-valued.
 */
import type { Draft, LogRecord } from '@sagalog/kernel'
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

const isClosed = (fact: StreamStateFact): fact is ClosedStream => fact.state !== 'open'

export class StreamStatesFold extends FactFold {
  override readonly name = 'stream-states'
  override readonly kinds = ['stream-state'] as const
  private readonly closed = new Map<string, Map<string, ClosedStream>>()

  /** Undefined for a stream that is open. */
  get(category: string, stream: string): ClosedStream | undefined {
    return this.closed.get(category)?.get(stream)
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') this.closed.clear()
    if (record.kind !== 'stream-state') return
    const fact = readStreamStateFact(record)
    let streams = this.closed.get(fact.category)
    if (streams === undefined) {
      streams = new Map()
      this.closed.set(fact.category, streams)
    }
    if (isClosed(fact)) streams.set(fact.stream, fact)
    else streams.delete(fact.stream)
  }

  override *restate(): Iterable<Draft> {
    for (const streams of this.closed.values())
      for (const fact of streams.values()) yield streamStateDraft(fact)
  }
}
