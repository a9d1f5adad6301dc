/**
 * The highest epoch granted for each queue of each group. Who holds a lease right now lives in
 * memory (members.ts); the epoch outlives every crash, so that no grant is ever given twice.
 */
import type { Draft, LogRecord } from '@sagalog/kernel'
import { leaseDraft, type LeaseFact, readLease } from '../records/facts.js'
import { FactFold } from './fact-fold.js'

const keyOf = (group: string, topic: string, queueId: number): string =>
  `${group}\u0000${topic}\u0000${queueId}`

export class LeasesFold extends FactFold {
  override readonly name = 'leases'
  override readonly kinds = ['lease'] as const
  private readonly leases = new Map<string, LeaseFact>()

  /** The epoch of the last grant; 0 when there was none. */
  epoch(group: string, topic: string, queueId: number): number {
    return this.leases.get(keyOf(group, topic, queueId))?.epoch ?? 0
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') this.leases.clear()
    if (record.kind !== 'lease') return
    const fact = readLease(record)
    this.leases.set(keyOf(fact.group, fact.topic, fact.queueId), fact)
  }

  override *restate(): Iterable<Draft> {
    for (const fact of this.leases.values()) yield leaseDraft(fact)
  }
}
