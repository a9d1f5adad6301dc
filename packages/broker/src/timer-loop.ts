/**
 * Sends the messages of timers that are due. A delay runs on the monotonic clock while the process
 * lives, and is taken up from the wall clock when a broker opens again. The message and the end of
 * its timer are one frame, so a timer fires once whatever crashes.
 */
import type { Cancel } from '@sagalog/kernel'
import { LogError } from '@sagalog/log-core'
import type { Core } from './core.js'
import { DueHeap } from './due-heap.js'
import { TIMER_STEP_MS_MAX } from './limits.js'
import { dueMessageDraft, Placement } from './messages.js'
import { timerEndDraft, type TimerFact } from './records/facts.js'

const RETRY_MS = 100
const CANCELLED_KEPT = 1_024

export class TimerLoop {
  private readonly core: Core
  private readonly due = new DueHeap<TimerFact>()
  private cancel: Cancel = () => undefined
  private plannedForMs = Number.POSITIVE_INFINITY
  private isStopped = false

  constructor(core: Core) {
    this.core = core
  }

  start(): void {
    for (const timer of this.core.state.timers.all()) this.plan(timer)
  }

  plan(timer: TimerFact): void {
    const inMs = Math.max(0, timer.dueAtMs - this.core.clock.wallMs())
    this.planIn(timer, inMs)
  }

  stop(): void {
    this.isStopped = true
    this.cancel()
  }

  private planIn(timer: TimerFact, inMs: number): void {
    this.due.push(this.core.clock.monotonicMs() + inMs, timer)
    // Most timers are cancelled long before they are due; what they leave here must not pile up.
    if (this.due.size > 2 * this.core.state.timers.count + CANCELLED_KEPT)
      this.due.retain((planned) => this.isOpen(planned))
    this.arm()
  }

  private arm(): void {
    const next = this.due.nextDueMs
    if (this.isStopped || next === undefined || next >= this.plannedForMs) return
    this.cancel()
    const delay = Math.max(0, next - this.core.clock.monotonicMs())
    this.plannedForMs = next
    this.cancel = this.core.clock.after(Math.min(delay, TIMER_STEP_MS_MAX), () => {
      this.plannedForMs = Number.POSITIVE_INFINITY
      this.run()
    })
  }

  private run(): void {
    const nowMs = this.core.clock.monotonicMs()
    for (;;) {
      const timer = this.due.pop(nowMs)
      if (timer === undefined) break
      if (this.isOpen(timer)) void this.fire(timer)
    }
    this.arm()
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
        refuse: () => this.planIn(timer, RETRY_MS),
      })
    } catch (error) {
      if (!LogError.is(error)) throw error
      if (core.log.failure === undefined) this.planIn(timer, RETRY_MS)
    }
  }
}
