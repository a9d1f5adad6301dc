/**
 * The timers that are still to fire: id, due time by the wall clock, where the message is and where
 * it goes.
 */
import type { LogRecord, Position } from '@sagalog/kernel'
import { storedTopic } from '@sagalog/protocol'
import { storedMessageStart } from '../records/event-record.js'
import { readTimerEnd, readTimerOpen, type TimerFact, timerOpenDraft } from '../records/facts.js'
import { readTimerRecord } from '../records/timer-record.js'
import { FactFold } from './fact-fold.js'
import { Pins } from './pins.js'
import { TopicCounts } from './topic-counts.js'

export class TimersFold extends FactFold {
  override readonly name = 'timers'
  override readonly kinds = ['timer', 'timer-open', 'timer-end'] as const
  private readonly open = this.table<string, TimerFact>(timerOpenDraft)
  private readonly pins = new Pins()
  private readonly topics = new TopicCounts()
  /** Told of each timer that is set; set once the broker lives. */
  onOpen: (timer: TimerFact) => void = () => undefined

  get(id: string): TimerFact | undefined {
    return this.open.get(id)
  }

  all(): Iterable<TimerFact> {
    return this.open.values()
  }

  get count(): number {
    return this.open.size
  }

  /** How many go to the topic. */
  countOf(topic: string): number {
    return this.topics.of(topic)
  }

  /** The topics that one goes to. */
  topicNames(): Iterable<string> {
    return this.topics.topics()
  }

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') {
      this.open.clear()
      this.pins.clear()
      this.topics.clear()
    } else if (record.kind === 'timer') {
      const { id, dueAtMs } = readTimerRecord(record)
      const topic = storedTopic(record.source, storedMessageStart(record))
      this.onOpen(this.set({ id, dueAtMs, position: record.position, topic }))
    } else if (record.kind === 'timer-open') {
      this.set(readTimerOpen(record))
    } else if (record.kind === 'timer-end') {
      const { id, position } = readTimerEnd(record)
      // The same id may have been set again: only the timer that ended goes.
      if (this.open.get(id)?.position === position) this.remove(id)
    }
  }

  override needs(): Position | undefined {
    return this.pins.lowest
  }

  override needsBody(record: LogRecord): boolean {
    return this.open.get(readTimerRecord(record).id)?.position === record.position
  }

  private set(fact: TimerFact): TimerFact {
    const before = this.open.get(fact.id)
    if (before !== undefined) {
      this.pins.remove(before.position)
      this.topics.remove(before.topic)
    }
    const kept = { ...fact, topic: this.topics.add(fact.topic) }
    this.open.set(fact.id, kept)
    this.pins.add(fact.position)
    return kept
  }

  private remove(id: string): void {
    const fact = this.open.get(id)
    if (fact === undefined) return
    this.open.delete(id)
    this.pins.remove(fact.position)
    this.topics.remove(fact.topic)
  }
}
