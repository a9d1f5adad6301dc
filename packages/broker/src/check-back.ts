/**
 * Asks for the decision of half messages whose confirmation did not come: each open half is checked
 * at a live producer of its group, again and again, and parked for an operator after the last
 * check. A check counts once it is in the log, so a crash does not start the count anew.
 */
import { sleep } from '@sagalog/kernel'
import { LogError } from '@sagalog/log-core'
import { checkTransaction, offsetId, onewayOf, RMQ_SYS_TRANS_HALF_TOPIC } from '@sagalog/protocol'
import type { Core } from './core.js'
import { DueLoop } from './due-loop.js'
import { stillHalf } from './messages.js'
import type { HalfFact } from './records/facts.js'
import { halfOpenDraft } from './records/facts.js'

const RETRY_MS = 1_000

export class CheckBack {
  private readonly core: Core
  private readonly loop: DueLoop<HalfFact['half']>

  constructor(core: Core) {
    this.core = core
    this.loop = new DueLoop(core.clock, (half) => {
      const fact = core.state.halves.get(half)
      if (fact !== undefined && !fact.isParked) void this.check(fact)
    })
  }

  start(): void {
    for (const half of this.core.state.halves.all())
      if (!half.isParked) this.plan(half, this.core.settings.checkAfterMs)
  }

  /** Plans the next check of a half. */
  plan(half: HalfFact, inMs: number): void {
    this.loop.plan(half.half, inMs)
  }

  stop(): void {
    this.loop.stop()
  }

  private async check(half: HalfFact): Promise<void> {
    const { core } = this
    const isLast = half.checks >= core.settings.checksMax
    if (!isLast && core.members.producer(half.group) === undefined) {
      // Nobody to ask: this is no check, and the half must not be parked for it.
      this.plan(half, core.settings.checkEveryMs)
      return
    }
    try {
      const record = core.log.peek(half.half) ?? (await core.log.read(half.half))
      this.sequence(half, isLast, stillHalf(record))
    } catch (error) {
      if (!LogError.is(error)) throw error
      // The log has failed or closed, or the half can't be read: it stays open, in sight.
      await sleep(core.clock, RETRY_MS)
      if (core.log.failure === undefined) this.plan(half, core.settings.checkEveryMs)
    }
  }

  private sequence(half: HalfFact, isLast: boolean, message: Buffer): void {
    const { core } = this
    core.sequencer.submit({
      decide: () => {
        const now = core.state.halves.get(half.half)
        if (now === undefined) return { drafts: [], applied: () => undefined }
        const next = isLast ? { ...now, isParked: true } : { ...now, checks: now.checks + 1 }
        return {
          drafts: [halfOpenDraft(next)],
          applied: (end) => {
            if (isLast) return
            this.ask(next, { message, end })
            this.plan(next, core.settings.checkEveryMs)
          },
        }
      },
      refuse: () => this.plan(half, RETRY_MS),
    })
  }

  private ask(half: HalfFact, { message, end }: { message: Buffer; end: HalfFact['half'] }): void {
    const { members, outbox, settings } = this.core
    const session = members.producer(half.group)
    if (session === undefined) return
    const command = onewayOf(checkTransaction, 0, {
      topic: RMQ_SYS_TRANS_HALF_TOPIC,
      tranStateTableOffset: half.half,
      commitLogOffset: half.half,
      msgId: half.transactionId,
      transactionId: half.transactionId,
      offsetMsgId: offsetId(settings.address, half.half),
      message,
    })
    outbox.post({ end, channel: session.channel, command })
  }
}
