/**
 * What a finished run left behind, as data: records read from the closed directory, the book, and
 * the lines that the worker printed. Nothing here is a live state of a service.
 */

/** One event of a service's stream. */
export interface ServiceRecord {
  readonly customer: string
  readonly order: number
  readonly effect: string
  /** CDs in the inventory, cents in the payment service. */
  readonly amount: number
  /** The quarter or the month that the amount counts for. */
  readonly period: string
  /** Its place in the log: the global order. */
  readonly position: number
}

/** What the stream of one saga says. */
export interface SagaRecord {
  readonly order: number
  readonly customer: string
  /** The outcome of each recorded end; a sound saga has exactly one. */
  readonly outcomes: readonly string[]
  readonly startedAt: { readonly position: number; readonly wallMs: number }
  readonly endedAt: { readonly position: number; readonly wallMs: number }
}

export interface BookRecord {
  readonly order: number
  /** The place in the log of the half that the book names. */
  readonly half: number
}

/** What the broker says about the reopened directory. */
export interface Leftovers {
  readonly halvesOpen: number
  readonly halvesParked: number
  readonly timersOpen: number
  readonly unacknowledged: number
  readonly deadLetters: number
  /** Events in the services' categories that stand in no customer's stream of this file. */
  readonly strayEvents: number
}

/** What the log holds about one half message. */
export interface HalfRecord {
  /** Its place in the log. */
  readonly position: number
  /** The order in its body. */
  readonly order: number
  /** How often the producer was asked about it. */
  readonly checks: number
  /** Every recorded decision; a sound half has exactly one. */
  readonly decisions: readonly string[]
}

/** What is demanded is what could be reached: a kill that comes too late has nothing to hit. */
export interface Kills {
  /** Kills that had to hit the worker while orders were pending, and kills that did. */
  readonly planned: number
  readonly withWorkPending: number
  /** Kills that had to come between a durable half and its book entry, and kills that did. */
  readonly strandsDemanded: number
  readonly strandedHalves: number
  /** Deletions that had to find a checkpoint, and the checkpoints that were deleted. */
  readonly deletionsDemanded: number
  readonly checkpointsDeleted: number
}

export interface Evidence {
  readonly sagas: readonly SagaRecord[]
  /** In stream order within each customer. */
  readonly inventory: readonly ServiceRecord[]
  readonly payment: readonly ServiceRecord[]
  readonly book: readonly BookRecord[]
  readonly halves: readonly HalfRecord[]
  readonly leftovers: Leftovers
  /** Whole lines `placed n` and `ended n OUTCOME`, as printed after the durable acknowledgement. */
  readonly printed: readonly string[]
  /** Replies that left before what they promise was durable. */
  readonly earlyReplies: number
  /** Undefined for a run without kills. */
  readonly kills?: Kills
}
