/** The timers that are still to fire: id, due time by the wall clock, and where the message is. */
import type { LogRecord, Position } from '@sagalog/kernel'
import { readTimerEnd, readTimerOpen, type TimerFact, timerOpenDraft } from '../records/facts.js'
import { readTimerRecord } from '../records/timer-record.js'
import { FactFold } from './fact-fold.js'
import { Pins } from './pins.js'

export class TimersFold extends FactFold {
  override readonly name = 'timers'
  override readonly kinds = ['timer', 'timer-open', 'timer-end'] as const
  private readonly open = this.table<string, TimerFact>(timerOpenDraft)
  private readonly pins = new Pins()
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

  override evolve(record: LogRecord): void {
    if (record.kind === 'restatement-begin') {
      this.open.clear()
      this.pins.clear()
    } else if (record.kind === 'timer') {
      const { id, dueAtMs } = readTimerRecord(record)
      const fact = { id, dueAtMs, position: record.position }
      this.set(fact)
      this.onOpen(fact)
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

  private set(fact: TimerFact): void {
    const before = this.open.get(fact.id)
    if (before !== undefined) this.pins.remove(before.position)
    this.open.set(fact.id, fact)
    this.pins.add(fact.position)
  }

  private remove(id: string): void {
    const fact = this.open.get(id)
    if (fact === undefined) return
    this.open.delete(id)
    this.pins.remove(fact.position)
  }
}
