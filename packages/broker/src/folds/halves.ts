/**
 * The half messages that are not decided, and the last decisions, so that a late or repeated
 * confirmation gets the answer that stands.
 * Invariant: a half is open or decided, never both; a decision is never replaced.
 */
import type { LogRecord, Position } from '@sagalog/kernel'
import {
  propertyOf,
  storedProperties,
  storedStoreTimestampMs,
  storedTopic,
} from '@sagalog/protocol'
import {
  decisionDraft,
  type HalfFact,
  halfOpenDraft,
  type Outcome,
  readDecision,
  readHalfOpen,
} from '../records/facts.js'
import { DECISIONS_KEPT } from '../limits.js'
import { FactFold } from './fact-fold.js'
import { Pins } from './pins.js'
import { TopicCounts } from './topic-counts.js'

export class HalvesFold extends FactFold {
  override readonly name = 'halves'
  override readonly kinds = ['half', 'half-open', 'decision'] as const
  private readonly open = this.table<Position, HalfFact>(halfOpenDraft)
  private readonly pins = new Pins()
  private readonly topics = new TopicCounts()
  private readonly decided = this.table<Position, Outcome>((outcome, half) =>
    decisionDraft({ half, outcome }),
  )
  /** Positions of `decided`, ascending. The highest are kept, whatever the order they came in. */
  private readonly decidedOrder: Position[] = []
  /** Told of each half that is stored; set once the broker lives. */
  onOpen: (half: HalfFact) => void = () => undefined

  get(half: Position): HalfFact | undefined {
    return this.open.get(half)
  }

  outcome(half: Position): Outcome | undefined {
    return this.decided.get(half)
  }

  all(): Iterable<HalfFact> {
    return this.open.values()
  }

  /** How many go to the topic once they are committed. */
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
      this.decided.clear()
      this.decidedOrder.length = 0
    } else if (record.kind === 'half') this.store(record)
    else if (record.kind === 'half-open') this.set(readHalfOpen(record))
    else if (record.kind === 'decision') {
      const { half, outcome } = readDecision(record)
      this.close(half)
      this.decide(half, outcome)
    }
  }

  override needs(): Position | undefined {
    return this.pins.lowest
  }

  override needsBody(record: LogRecord): boolean {
    return this.open.has(record.position)
  }

  private store(record: LogRecord): void {
    const properties = storedProperties(record.source, record.start)
    const fact: HalfFact = {
      half: record.position,
      group: propertyOf(properties, 'PGROUP') ?? '',
      transactionId: propertyOf(properties, 'UNIQ_KEY') ?? '',
      storedAtMs: storedStoreTimestampMs(record.source, record.start),
      checks: 0,
      isParked: false,
      topic: storedTopic(record.source, record.start),
    }
    this.set(fact)
    this.onOpen(fact)
  }

  private set(fact: HalfFact): void {
    this.close(fact.half)
    this.pins.add(fact.half)
    this.open.set(fact.half, { ...fact, topic: this.topics.add(fact.topic) })
  }

  private close(half: Position): void {
    const fact = this.open.get(half)
    if (fact === undefined) return
    this.open.delete(half)
    this.pins.remove(half)
    this.topics.remove(fact.topic)
  }

  private decide(half: Position, outcome: Outcome): void {
    if (this.decided.has(half)) return
    this.decided.set(half, outcome)
    let index = this.decidedOrder.length
    while (index > 0 && (this.decidedOrder[index - 1] ?? 0) > half) index -= 1
    this.decidedOrder.splice(index, 0, half)
    if (this.decidedOrder.length <= DECISIONS_KEPT) return
    const lowest = this.decidedOrder.shift()
    if (lowest !== undefined) this.decided.delete(lowest)
  }
}
