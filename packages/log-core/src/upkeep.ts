/**
 * What the log does for its closed segments beside its work: it seals and scrubs them, and lets go
 * what nobody needs. It ends before the files are closed, and never holds up an append.
 */
import type { Cancel, Clock, Position } from '@sagalog/kernel'
import { Retention, type RetentionOptions, type RetentionReport } from './retention.js'
import { scrub, type Scrubbing, type ScrubOptions, type ScrubPlan } from './scrub.js'
import { Sealer, writeSeal } from './sealer.js'
import type { DamagedRange, Segment } from './segment.js'
import type { Segments } from './segments.js'

export interface UpkeepOptions {
  readonly segments: Segments
  readonly clock: Clock
  readonly contentEndOf: (segment: Segment) => Promise<Position>
  readonly durable: () => Position
  readonly sealBytesPerSecond: number
  readonly cursorNeeds: () => Position | undefined
  readonly whenDurable: () => Promise<void>
  readonly onFailure: (error: unknown) => void
}

export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #sealer: Sealer
  readonly #retention: Retention
  #nextScrub: Cancel | undefined
  readonly #scrubbing = new Set<Scrubbing>()

  constructor(options: UpkeepOptions) {
    this.#options = options
    this.#sealer = new Sealer(options)
    this.#retention = new Retention(options)
  }

  get damaged(): readonly DamagedRange[] {
    return this.#options.segments.list.flatMap(({ damage }) => damage)
  }

  get unsealed(): number {
    return this.#sealer.unsealed
  }

  /** Scrubs again and again from now on. */
  scrubEvery(plan: ScrubPlan): void {
    this.#nextScrub = this.#options.clock.after(plan.everyMs, () => {
      const { done } = this.scrub(plan)
      done.then(
        (report) => {
          if (!report.isComplete) return
          plan.onReport?.(report)
          this.scrubEvery(plan)
        },
        // The log has failed, and says so itself.
        () => undefined,
      )
    })
  }

  /** Something became durable. */
  wake(): void {
    this.#sealer.wake()
  }

  scrub(options: ScrubOptions): Scrubbing {
    const scrubbing = scrub(
      { ...this.#options, reseal: (segment) => this.#reseal(segment) },
      options,
    )
    this.#scrubbing.add(scrubbing)
    const forget = (): void => {
      this.#scrubbing.delete(scrubbing)
    }
    scrubbing.done.then(forget, forget)
    return scrubbing
  }

  async retain(options: RetentionOptions): Promise<RetentionReport> {
    const report = await this.#retention.run(options)
    // What was not sealed yet may have retired.
    this.wake()
    return report
  }

  async #reseal(segment: Segment): Promise<void> {
    if (segment.seal === undefined) return
    try {
      await writeSeal(segment, segment.seal)
    } catch (error) {
      this.#options.onFailure(error)
      throw error
    }
  }

  /** Resolves once nothing of it is on its way to the disk; nothing begins any more. */
  async stop(): Promise<void> {
    this.#sealer.stop()
    this.#nextScrub?.()
    const ending = [...this.#scrubbing].map(({ done, stop }) => {
      stop()
      return done
    })
    await Promise.allSettled([this.#sealer.settled(), this.#retention.stop(), ...ending])
  }
}
