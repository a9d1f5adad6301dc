/** The topics: their queues, permissions and kind. A topic record is set-valued. */
import type { LogRecord } from '@sagalog/kernel'
import { readTopic, topicDraft, type TopicFact } from '../records/facts.js'
import { FactFold } from './fact-fold.js'

export class TopicsFold extends FactFold {
  override readonly name = 'topics'
  override readonly kinds = ['topic'] as const
  private readonly topics = this.table<string, TopicFact>(topicDraft)

  get(name: string): TopicFact | undefined {
    return this.topics.get(name)
  }

  all(): Iterable<TopicFact> {
    return this.topics.values()
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') this.topics.clear()
    if (record.kind !== 'topic') return
    const fact = readTopic(record)
    this.topics.set(fact.name, fact)
  }
}
