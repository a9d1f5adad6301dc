/**
 * The topics: their queues, permissions and kind. A topic record is set-valued; one without queues
 * says that the topic was deleted. Its messages stay where they are, so its name is remembered.
 */
import type { LogRecord } from '@sagalog/kernel'
import { readTopic, topicDraft, type TopicFact } from '../records/facts.js'
import { FactFold } from './fact-fold.js'

const isDeleted = ({ readQueues }: TopicFact): boolean => readQueues === 0

export class TopicsFold extends FactFold {
  override readonly name = 'topics'
  override readonly kinds = ['topic'] as const
  private readonly topics = this.table<string, TopicFact>(topicDraft)

  get(name: string): TopicFact | undefined {
    const topic = this.topics.get(name)
    return topic === undefined || isDeleted(topic) ? undefined : topic
  }

  /** True for a topic that was deleted and not made again. */
  wasDeleted(name: string): boolean {
    const topic = this.topics.get(name)
    return topic !== undefined && isDeleted(topic)
  }

  /** Names that are remembered, those of deleted topics too. */
  get count(): number {
    return this.topics.size
  }

  /** True for a topic that is there or was deleted: making it adds no name. */
  remembers(name: string): boolean {
    return this.topics.has(name)
  }

  *all(): Generator<TopicFact, void> {
    for (const topic of this.topics.values()) if (!isDeleted(topic)) yield topic
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') this.topics.clear()
    if (record.kind !== 'topic') return
    const fact = readTopic(record)
    this.topics.set(fact.name, fact)
  }
}
