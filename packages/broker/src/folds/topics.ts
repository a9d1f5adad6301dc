/** The topics: their queues, permissions and kind. A topic record is set-valued. */
import type { Draft, Fold, LogRecord } from '@sagalog/kernel'
import { readTopic, topicDraft, type TopicFact } from '../records/facts.js'
import { loadRecords, saveRecords } from './saved-records.js'

export class TopicsFold implements Fold {
  readonly name = 'topics'
  readonly kinds = ['topic'] as const
  private readonly topics = new Map<string, TopicFact>()

  get(name: string): TopicFact | undefined {
    return this.topics.get(name)
  }

  all(): Iterable<TopicFact> {
    return this.topics.values()
  }

  evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') this.topics.clear()
    if (record.kind !== 'topic') return
    const fact = readTopic(record)
    this.topics.set(fact.name, fact)
  }

  *restate(): Iterable<Draft> {
    for (const fact of this.topics.values()) yield topicDraft(fact)
  }

  needs(): undefined {
    return undefined
  }

  save(): Iterable<Buffer> {
    return saveRecords([...this.restate()])
  }

  load(chunks: Iterable<Buffer>): void {
    loadRecords(chunks, (record) => this.evolve(record))
  }
}
