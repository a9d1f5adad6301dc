/**
 * Sends the messages of timers that are due. A delay runs on the monotonic clock while the process
 * lives, and is taken up from the wall clock when a broker opens again. The message and the end of
 * its timer are one frame, so a timer fires once whatever crashes.
 */
import { LogError } from '@sagalog/log-core'
import type { Core } from './core.js'
import { DueLoop } from './due-loop.js'
import { dueMessageDraft, Placement } from './messages.js'
import { timerEndDraft, type TimerFact } from './records/facts.js'

const RETRY_MS = 100
const CANCELLED_KEPT = 1_024

export class TimerLoop {
  private readonly core: Core
  private readonly loop: DueLoop<TimerFact>

  constructor(core: Core) {
    this.core = core
    this.loop = new DueLoop(core.clock, (timer) => {
      if (this.isOpen(timer)) void this.fire(timer)
    })
  }

  /** Timers held in memory, those included that were cancelled not long ago. */
  get planned(): number {
    return this.loop.size
  }

  start(): void {
    for (const timer of this.core.state.timers.all()) this.plan(timer)
  }

  plan(timer: TimerFact): void {
    this.loop.plan(timer, Math.max(0, timer.dueAtMs - this.core.clock.wallMs()))
    // Most timers are cancelled long before they are due; what they leave here must not pile up.
    if (this.loop.size > 2 * this.core.state.timers.count + CANCELLED_KEPT)
      this.loop.retain((planned) => this.isOpen(planned))
  }

  stop(): void {
    this.loop.stop()
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
        refuse: () => this.loop.plan(timer, RETRY_MS),
      })
    } catch (error) {
      if (!LogError.is(error)) throw error
      if (core.log.failure === undefined) this.loop.plan(timer, RETRY_MS)
    }
  }
}
