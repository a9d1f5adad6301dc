/**
 * Gives each request its place in the log. `decide` reads the folds and gives drafts; they are
 * encoded at their positions and evolved at once, so the next request sees them although nothing is
 * durable yet. What `decide` refuses has changed nothing.
 * Invariant: decide, append and evolve of one request happen in one turn; requests keep their
 * order.
 */
import type { Draft, Hops, LogRecord, Position } from '@sagalog/kernel'
import { type Durability, type Log, LogError } from '@sagalog/log-core'
import { WAITING_BYTES_MAX, WAITING_MAX } from './limits.js'

/** Records, or none, and what to do once they have their place. */
export interface Decision {
  readonly drafts: readonly Draft[]
  /** Called with the position on which everything that leaves for this request depends. */
  applied(end: Position, records: readonly LogRecord[]): void
}

export interface Work {
  decide(): Decision
  /** Bytes that the work holds while it waits. */
  readonly bytes?: number
  /** The request can't be taken: no room, too large, or the log is closed. */
  refuse(reason: 'busy' | 'full' | 'too-large' | 'closed'): void
}

const NOTHING: readonly LogRecord[] = []

export class Sequencer {
  private readonly log: Log
  private readonly hops: Hops
  private readonly level: Durability
  private waiting: Work[] = []
  /** Those before it have left. */
  private first = 0
  private waitingBytes = 0
  private isDraining = false
  /** Told after each append, for what follows an append that never has to wait for the disk. */
  onAppended: () => void = () => undefined

  constructor(parts: { log: Log; hops: Hops; level: Durability }) {
    this.log = parts.log
    this.hops = parts.hops
    this.level = parts.level
    this.log.onRoom(() => this.drain())
  }

  submit(work: Work): void {
    if (this.isWaitedFor || this.isDraining) {
      const isBusy =
        this.waiting.length - this.first >= WAITING_MAX ||
        this.waitingBytes + (work.bytes ?? 0) > WAITING_BYTES_MAX
      if (isBusy) work.refuse('busy')
      else this.wait(work)
      return
    }
    if (!this.place(work)) this.wait(work)
  }

  private get isWaitedFor(): boolean {
    return this.first < this.waiting.length
  }

  private wait(work: Work): void {
    this.waiting.push(work)
    this.waitingBytes += work.bytes ?? 0
  }

  /** The array is cut now and then, not at each work: shifting would be quadratic. */
  private cut(): void {
    const isEmpty = this.first === this.waiting.length
    if (!isEmpty && (this.first < 1_024 || this.first * 2 < this.waiting.length)) return
    this.waiting = this.waiting.slice(this.first)
    this.first = 0
  }

  /** True when the work is done with; false when it has to wait for room. */
  private place(work: Work): boolean {
    const decision = work.decide()
    if (decision.drafts.length === 0) {
      decision.applied(this.log.watermark('memory'), NOTHING)
      return true
    }
    this.hops.reach('broker.sequence')
    const appended = this.append(decision.drafts)
    if (appended === 'wait') return false
    if (typeof appended === 'string') {
      work.refuse(appended)
      return true
    }
    // The append has evolved the folds: they are registered with the log.
    decision.applied(appended.end, appended.records)
    if (this.level === 'memory') this.onAppended()
    return true
  }

  private append(drafts: readonly Draft[]): ReturnType<Log['append']> | 'too-large' | 'closed' {
    try {
      return this.log.append(drafts)
    } catch (error) {
      if (!LogError.is(error)) throw error
      return error.code === 'RECORD_TOO_LARGE' ? 'too-large' : 'closed'
    }
  }

  private drain(): void {
    if (this.isDraining) return
    this.isDraining = true
    try {
      for (let work = this.waiting[this.first]; work !== undefined;) {
        if (!this.place(work)) return
        this.waitingBytes -= work.bytes ?? 0
        this.first += 1
        this.cut()
        work = this.waiting[this.first]
      }
    } finally {
      this.isDraining = false
    }
  }
}
