/** The timers that are still to fire: id, due time by the wall clock, and where the message is. */
import type { Draft, Fold, LogRecord, Position } from '@sagalog/kernel'
import { readTimerEnd, readTimerOpen, type TimerFact, timerOpenDraft } from '../records/facts.js'
import { readTimerRecord } from '../records/timer-record.js'
import { loadRecords, saveRecords } from './saved-records.js'

export class TimersFold implements Fold {
  readonly name = 'timers'
  readonly kinds = ['timer', 'timer-open', 'timer-end'] as const
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

  evolve(record: LogRecord): void {
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

  *restate(): Iterable<Draft> {
    for (const fact of this.open.values()) yield timerOpenDraft(fact)
  }

  needs(): Position | undefined {
    let lowest: Position | undefined
    for (const { position } of this.open.values())
      if (lowest === undefined || position < lowest) lowest = position
    return lowest
  }

  save(): Iterable<Buffer> {
    return saveRecords([...this.restate()])
  }

  load(chunks: Iterable<Buffer>): void {
    loadRecords(chunks, (record) => this.evolve(record))
  }
}
