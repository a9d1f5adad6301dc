/**
 * Sends the messages of timers that are due. A delay runs on the monotonic clock while the process
 * lives, and is taken up from the wall clock when a broker opens again. A time of delivery is one
 * of the wall clock: it is looked at again when it seems to be there, and when that clock was
 * moved. The message and the end of its timer are one frame: a timer fires once whatever crashes.
 */
import type { Cancel } from '@sagalog/kernel'
import { LogError } from '@sagalog/log-core'
import type { Core } from './core.js'
import { DueLoop } from './due-loop.js'
import { WALL_CLOCK_WATCH_MS, WALL_CLOCK_MOVED_MS } from './limits.js'
import { dueMessageDraft, Placement } from './messages.js'
import { timerEndDraft, type TimerFact } from './records/facts.js'
import { isUntilTime } from './records/timer-record.js'

const RETRY_MS = 100
const CANCELLED_KEPT = 1_024

export class TimerLoop {
  private readonly core: Core
  private readonly loop: DueLoop<TimerFact>
  private readonly untilLoop: DueLoop<TimerFact>
  private cancelWatch: Cancel = () => undefined
  private isWatching = false
  /** What the wall clock was ahead of the monotonic one when it was looked at last. */
  private aheadMs = 0

  constructor(core: Core) {
    this.core = core
    this.loop = new DueLoop(core.clock, (timer) => {
      if (this.isOpen(timer)) void this.fire(timer)
    })
    this.untilLoop = new DueLoop(core.clock, (timer) => {
      if (!this.isOpen(timer)) return
      // The wall clock may have been set back since it was planned.
      if (core.clock.wallMs() < timer.dueAtMs) this.plan(timer)
      else void this.fire(timer)
    })
  }

  /** Timers held in memory, those included that were cancelled not long ago. */
  get planned(): number {
    return this.loop.size + this.untilLoop.size
  }

  start(): void {
    for (const timer of this.core.state.timers.all()) this.plan(timer)
  }

  plan(timer: TimerFact): void {
    const loop = this.loopOf(timer)
    loop.plan(timer, Math.max(0, timer.dueAtMs - this.core.clock.wallMs()))
    if (loop === this.untilLoop) this.watch()
    // Most timers are cancelled long before they are due; what they leave here must not pile up.
    if (loop.size > 2 * this.core.state.timers.count + CANCELLED_KEPT)
      loop.retain((planned) => this.isOpen(planned))
  }

  stop(): void {
    this.loop.stop()
    this.untilLoop.stop()
    this.cancelWatch()
  }

  private loopOf({ id }: TimerFact): DueLoop<TimerFact> {
    return isUntilTime(id) ? this.untilLoop : this.loop
  }

  private aheadNow(): number {
    return this.core.clock.wallMs() - this.core.clock.monotonicMs()
  }

  /** Looks from time to time whether the wall clock was moved, while some timer depends on it. */
  private watch(): void {
    if (this.isWatching) return
    this.isWatching = true
    this.aheadMs = this.aheadNow()
    this.watchLater()
  }

  private watchLater(): void {
    this.cancelWatch = this.core.clock.after(WALL_CLOCK_WATCH_MS, () => {
      if (this.untilLoop.size === 0) {
        this.isWatching = false
        return
      }
      const aheadMs = this.aheadNow()
      if (Math.abs(aheadMs - this.aheadMs) > WALL_CLOCK_MOVED_MS) {
        this.aheadMs = aheadMs
        this.untilLoop.retain(() => false)
        for (const timer of this.core.state.timers.all())
          if (isUntilTime(timer.id)) this.plan(timer)
      }
      this.watchLater()
    })
  }

  private isOpen(timer: TimerFact): boolean {
    return this.core.state.timers.get(timer.id)?.position === timer.position
  }

  private async fire(timer: TimerFact): Promise<void> {
    const { core } = this
    try {
      const record = core.log.peek(timer.position) ?? (await core.log.read(timer.position))
      core.sequencer.submit({
        decide: () => {
          if (!this.isOpen(timer)) return { drafts: [], applied: () => undefined }
          const message = dueMessageDraft(core, record, new Placement(core.state.queues))
          const end = timerEndDraft({ id: timer.id, position: timer.position })
          return { drafts: [message, end], applied: () => undefined }
        },
        refuse: () => this.loopOf(timer).plan(timer, RETRY_MS),
      })
    } catch (error) {
      if (!LogError.is(error)) throw error
      if (core.log.failure === undefined) this.loopOf(timer).plan(timer, RETRY_MS)
    }
  }
}
