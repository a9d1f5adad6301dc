/** The timers that are still to fire: id, due time by the wall clock, and where the message is. */
import type { Draft, LogRecord, Position } from '@sagalog/kernel'
import { readTimerEnd, readTimerOpen, type TimerFact, timerOpenDraft } from '../records/facts.js'
import { readTimerRecord } from '../records/timer-record.js'
import { FactFold } from './fact-fold.js'

export class TimersFold extends FactFold {
  override readonly name = 'timers'
  override readonly kinds = ['timer', 'timer-open', 'timer-end'] as const
  private readonly open = new Map<string, TimerFact>()
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
    if (record.kind === 'restatement-begin') this.open.clear()
    else if (record.kind === 'timer') {
      const { id, dueAtMs } = readTimerRecord(record)
      const fact = { id, dueAtMs, position: record.position }
      this.open.set(id, fact)
      this.onOpen(fact)
    } else if (record.kind === 'timer-open') {
      const fact = readTimerOpen(record)
      this.open.set(fact.id, fact)
    } else if (record.kind === 'timer-end') {
      const { id, position } = readTimerEnd(record)
      // The same id may have been set again: only the timer that ended goes.
      if (this.open.get(id)?.position === position) this.open.delete(id)
    }
  }

  override *restate(): Iterable<Draft> {
    for (const fact of this.open.values()) yield timerOpenDraft(fact)
  }

  override needs(): Position | undefined {
    let lowest: Position | undefined
    for (const { position } of this.open.values())
      if (lowest === undefined || position < lowest) lowest = position
    return lowest
  }

  override needsBody(record: LogRecord): boolean {
    return this.open.get(readTimerRecord(record).id)?.position === record.position
  }
}
