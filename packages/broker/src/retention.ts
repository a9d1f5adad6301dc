/**
 * Lets go what nobody needs any more, again and again. First the queues are told where they start
 * from now on, and groups that stood lower are moved, in one frame; then the facts are restated,
 * and what no fold needs leaves the log.
 * Invariant: a message is still there as long as its queue says so.
 */
import {
  type Cancel,
  type Draft,
  position,
  type Position,
  queueOffset,
  turn,
} from '@sagalog/kernel'
import { LogError, NeedsTable, type RetentionReport } from '@sagalog/log-core'
import type { Core } from './core.js'
import { BrokerError } from './errors.js'
import { type Expiry, type ExpiryBounds, expiryBounds, expiryOf, standersOf } from './expiry.js'
import type { Queue } from './folds/queues.js'
import { EXPIRY_QUEUES_AT_ONCE, HELD_UP_ROWS_MAX } from './limits.js'
import { placeDraft, queueRangeDraft } from './records/facts.js'
import { notify } from './requests/lease-queues.js'
import type { HeldUp, PassedOver } from './retention-account.js'

export interface RetentionParts {
  readonly core: Core
  /** Writes the facts to the tail of the log. */
  readonly restate: () => Promise<void>
  readonly checkpoint: () => Promise<void>
  /** Told what an operator should know of. */
  readonly onNotice: (notice: Error) => void
}

export class Retention {
  private readonly core: Core
  private readonly parts: RetentionParts
  private readonly needs = new NeedsTable()
  private running: Promise<RetentionReport | undefined> | undefined
  private cancelNext: Cancel = () => undefined
  private rewrittenAtMs: number
  private isStopped = false
  /** Of the last restatement; another one must be worth its bytes. */
  private restatedBytes = 0

  constructor(parts: RetentionParts) {
    this.parts = parts
    this.core = parts.core
    const { clock, folds } = parts.core
    this.rewrittenAtMs = clock.monotonicMs()
    this.needs.set('folds', {
      needsBody: (record) => folds.needsBody(record),
      bodiesFrom: () => folds.needs(),
    })
  }

  start(): void {
    const { clock, settings } = this.core
    if (!settings.retention.isOn || this.isStopped) return
    this.cancelNext = clock.after(settings.retention.everyMs, () => {
      const isDue = clock.monotonicMs() - this.rewrittenAtMs >= settings.retention.rewriteEveryMs
      this.run({ rewrites: isDue }).then(
        () => this.start(),
        () => this.start(),
      )
    })
  }

  /** Nothing begins any more; what is under way ends when the log closes. */
  stop(): void {
    this.isStopped = true
    this.cancelNext()
  }

  /**
   * One round; who asks while one is under way gets the same one. Undefined when there was nothing
   * to let go. Rejects as the log does.
   */
  run({ rewrites }: { readonly rewrites: boolean }): Promise<RetentionReport | undefined> {
    this.running ??= this.round(rewrites).finally(() => {
      this.running = undefined
    })
    return this.running
  }

  private async round(rewrites: boolean): Promise<RetentionReport | undefined> {
    const { clock, retention: account } = this.core
    account.lastProblem = undefined
    try {
      await this.expire()
      const report = await this.letGo(rewrites)
      if (rewrites) this.rewrittenAtMs = clock.monotonicMs()
      return report
    } catch (error) {
      account.lastProblem = error instanceof Error ? error.message : String(error)
      throw error
    } finally {
      account.runs += 1
      account.lastRunAtMs = clock.wallMs()
    }
  }

  /** Tells the queues where they start, some of them in each turn. */
  private async expire(): Promise<void> {
    const { clock, log, retention: account, settings, state } = this.core
    const facts = { closed: log.closedSegments, openBytes: log.openBytes }
    const bounds = expiryBounds(facts, settings.retention, clock.wallMs())
    const heldUp: HeldUp[] = []
    const limit = Math.max(bounds.old, bounds.overCap)
    const queues = [...state.queues.all()].filter(({ positions }) => {
      return positions.start < positions.length && positions.at(positions.start) < limit
    })
    for (let from = 0; from < queues.length; from += EXPIRY_QUEUES_AT_ONCE) {
      heldUp.push(
        ...(await this.expireSome(queues.slice(from, from + EXPIRY_QUEUES_AT_ONCE), bounds)),
      )
      await turn(clock)
    }
    account.heldUp = heldUp.slice(0, HELD_UP_ROWS_MAX)
  }

  private expireSome(queues: readonly Queue[], bounds: ExpiryBounds): Promise<HeldUp[]> {
    const { sequencer } = this.core
    return new Promise((resolve, reject) => {
      sequencer.submit({
        decide: () => {
          const asked = { bounds, standers: standersOf(this.core) }
          const expiries = queues.flatMap((queue) => expiryOf(this.core, queue, asked) ?? [])
          return {
            drafts: expiries.flatMap(draftsOf),
            applied: () => {
              for (const expiry of expiries) this.applied(expiry)
              resolve(expiries.flatMap(({ heldUp }) => heldUp ?? []))
            },
          }
        },
        refuse: (reason) => {
          const problem = new BrokerError('RETENTION_DELAYED', { reason })
          reject(problem)
        },
      })
    })
  }

  private applied({ letGo, moved, queue }: Expiry): void {
    const { core } = this
    core.retention.messagesLetGo += letGo
    for (const { isOverCap, passedOver } of moved) {
      core.retention.passOver(passedOver)
      if (isOverCap && passedOver.messages > 0) this.parts.onNotice(noticeOf(core, passedOver))
      // What is in hand is refused; whoever holds the queue asks again, and begins where it starts.
      core.members.revoke(passedOver.group, queue.topic, queue.queueId)
      if (core.state.leases.holds(passedOver.group)) notify(core, passedOver.group, undefined)
    }
    if (moved.length > 0) core.heldPulls.grow(queue)
  }

  private async letGo(rewrites: boolean): Promise<RetentionReport | undefined> {
    const { folds, log, retention: account, settings } = this.core
    const wanted = this.worthLettingGo(rewrites)
    if (wanted === undefined) return undefined
    let freeBelow = await folds.freeBelow()
    if (freeBelow < wanted && (rewrites || wanted - freeBelow >= 2 * this.restatedBytes)) {
      await this.restate()
      freeBelow = await folds.freeBelow()
    }
    // Without a round of rewriting nothing is even looked at that is not free as a whole.
    const lowest = rewrites ? freeBelow : Math.min(freeBelow, folds.needs() ?? freeBelow)
    const bytesBefore = bytesOf(this.core)
    const { bytesPerSecond } = settings.retention
    const report = await log.retain({
      needs: this.needs,
      freeBelow: position(lowest),
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    })
    account.segmentsRetired += report.retired.length
    account.segmentsRewritten += report.rewritten.length
    account.bytesFreed += Math.max(0, bytesBefore - bytesOf(this.core))
    if (report.isDiskFull) account.lastProblem = 'the disk is full: some of it was left for later'
    return report
  }

  /** Where the closed segments end that may go, or may be rewritten; undefined without one. */
  private worthLettingGo(rewrites: boolean): Position | undefined {
    const { folds, log } = this.core
    const needs = folds.needs() ?? Number.MAX_SAFE_INTEGER
    const may = log.closedSegments.filter(({ end }) => rewrites || end <= needs)
    return may.at(-1)?.end
  }

  private async restate(): Promise<void> {
    const { log } = this.core
    const before = log.watermark('memory')
    await this.parts.restate()
    this.restatedBytes = log.watermark('memory') - before
    // Those that are older have to go; without one the next start would read the whole log.
    await this.parts.checkpoint().catch((error: unknown) => {
      if (!LogError.is(error)) throw error
    })
  }
}

const bytesOf = ({ log }: Core): number =>
  log.closedSegments.reduce((sum, { bytes }) => sum + bytes, log.openBytes)

/** A queue that starts where it did has nothing to write. */
function draftsOf({ first, moved, queue }: Expiry): Draft[] {
  const { positions, queueId, topic } = queue
  if (first === positions.start) return []
  return [
    queueRangeDraft({ topic, queueId, first, next: queueOffset(positions.length) }),
    ...moved.map(({ place: { group }, settled, watermark }) =>
      placeDraft({ group, topic, queueId, watermark, settled }),
    ),
  ]
}

function noticeOf({ settings }: Core, passed: PassedOver): Error {
  const { from, group, messages, queueId, to, topic } = passed
  const queue = `${topic}/${queueId}`
  const capBytes = settings.retention.capBytes ?? 0
  return new BrokerError('UNREAD_LET_GO', { capBytes, group, messages, queue, from, to })
}
