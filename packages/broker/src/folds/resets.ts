/**
 * Queues of RocketMQ groups that an operator moved and whose consumer has not come to the new place
 * yet: its pulls are answered with it, and what it commits until then counts nothing. A reset
 * record is set-valued; the place itself moves in the same frame.
 */
import type { LogRecord, QueueOffset } from '@sagalog/kernel'
import { readReset, resetDraft, type ResetFact } from '../records/facts.js'
import { FactFold } from './fact-fold.js'

export type GroupQueueName = Pick<ResetFact, 'group' | 'topic' | 'queueId'>

const keyOf = ({ group, queueId, topic }: GroupQueueName): string =>
  `${group}\u0000${topic}\u0000${queueId}`

export class ResetsFold extends FactFold {
  override readonly name = 'resets'
  override readonly kinds = ['reset'] as const
  private readonly pending = this.table<string, ResetFact>(resetDraft)

  /** Where the consumer of the queue is to go on; undefined when it is there. */
  get(queue: GroupQueueName): QueueOffset | undefined {
    return this.pending.size === 0 ? undefined : this.pending.get(keyOf(queue))?.offset
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') this.pending.clear()
    if (record.kind !== 'reset') return
    const fact = readReset(record)
    if (fact.isDone) this.pending.delete(keyOf(fact))
    else this.pending.set(keyOf(fact), fact)
  }
}
