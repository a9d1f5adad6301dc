/**
 * The highest epoch granted for each queue of each group. Who holds a lease right now lives in
 * memory (members.ts); the epoch outlives every crash, so that no grant is ever given twice.
 */
import type { LogRecord } from '@sagalog/kernel'
import { leaseDraft, type LeaseFact, readLease } from '../records/facts.js'
import { FactFold } from './fact-fold.js'

const keyOf = (group: string, topic: string, queueId: number): string =>
  `${group}\u0000${topic}\u0000${queueId}`

export class LeasesFold extends FactFold {
  override readonly name = 'leases'
  override readonly kinds = ['lease'] as const
  private readonly leases = this.table<string, LeaseFact>(leaseDraft)
  private readonly groups = new Set<string>()

  /** The epoch of the last grant; 0 when there was none. */
  epoch(group: string, topic: string, queueId: number): number {
    return this.leases.get(keyOf(group, topic, queueId))?.epoch ?? 0
  }

  /** True when the group ever had a lease: it is one of our own consumers. */
  holds(group: string): boolean {
    return this.groups.has(group)
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') {
      this.leases.clear()
      this.groups.clear()
    }
    if (record.kind !== 'lease') return
    const fact = readLease(record)
    this.leases.set(keyOf(fact.group, fact.topic, fact.queueId), fact)
    this.groups.add(fact.group)
  }
}
