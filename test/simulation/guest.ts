/** A node that a test brings along, beside producers and consumers. */
import type { Counters } from './counters.js'
import type { SimulatedProcess } from './process-clock.js'

/** A node of another sort, which a test brings along. */
export interface Guest {
  readonly name: string
  readonly process: SimulatedProcess | undefined
  /** What it reached, by name. */
  readonly faults: Counters
  /** True when nothing that was asked of it is left to do. */
  readonly isIdle: boolean
  /** Off in the last phase: it does its work as it should. */
  isTroubled: boolean
  start(): void
  /** Does so much more of what it does. */
  work(count: number): void
  crash(cut: (process: SimulatedProcess) => void): void
}
