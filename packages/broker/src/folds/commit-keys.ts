/**
 * The keys of the newest commits that had one, so that the same commit sent again is answered as it
 * was and not applied again, also after a restart.
 * Invariant: of more keys than are kept, those of the lowest positions are forgotten, whatever the
 * order they came in.
 */
import type { LogRecord } from '@sagalog/kernel'
import { COMMIT_KEYS_KEPT } from '../limits.js'
import { commitKeyDraft, type CommitKeyFact, readCommitKey } from '../records/stream-facts.js'
import { FactFold } from './fact-fold.js'

/** Forgotten keys whose places in the order are cut off at once. */
const CUT_EVERY = 1_024

export class CommitKeysFold extends FactFold {
  override readonly name = 'commit-keys'
  override readonly kinds = ['commit-key'] as const
  private readonly facts = this.table<string, CommitKeyFact>((fact) =>
    commitKeyDraft(fact, fact.position),
  )
  /** The facts by position, ascending; those before `first` are forgotten. */
  private order: CommitKeyFact[] = []
  private first = 0

  get(key: string): CommitKeyFact | undefined {
    return this.facts.get(key)
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') {
      this.facts.clear()
      this.order = []
      this.first = 0
    }
    if (record.kind !== 'commit-key') return
    const fact = readCommitKey(record)
    if (this.facts.has(fact.key)) return
    this.facts.set(fact.key, fact)
    this.place(fact)
    if (this.facts.size > COMMIT_KEYS_KEPT) this.forgetOldest()
  }

  private place(fact: CommitKeyFact): void {
    let index = this.order.length
    while (index > this.first && (this.order[index - 1]?.position ?? 0) > fact.position) index -= 1
    this.order.splice(index, 0, fact)
  }

  private forgetOldest(): void {
    const oldest = this.order[this.first]
    if (oldest === undefined) return
    this.facts.delete(oldest.key)
    this.first += 1
    if (this.first < CUT_EVERY) return
    this.order = this.order.slice(this.first)
    this.first = 0
  }
}
