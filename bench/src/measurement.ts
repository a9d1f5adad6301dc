/**
 * The words of a benchmark: what one case is, what one round of it gives, and the line that comes
 * out. Data only.
 */

/** What varies between the cases of one benchmark. */
export interface CaseName {
  /** What was measured: `sagalog`, or the yardstick beside it. */
  readonly peer: string
  /** Bytes of one message body. */
  readonly body: number
  /** Callers at work at once, each waiting for its answer. */
  readonly concurrency: number
  readonly durability: 'sync' | 'os' | 'memory'
}

/** What one round of one case gives. */
export interface Round extends CaseName {
  readonly operations: number
  readonly elapsedMs: number
  /** Milliseconds of each operation; of each write for a yardstick. */
  readonly latenciesMs: readonly number[]
  /** Replies that left before their record was as safe as they say. Must be 0. */
  readonly earlyReplies: number
  /** Further figures of the round, shown beside the others: the median of the rounds. */
  readonly figures: Readonly<Record<string, number>>
}

/** A bound for one figure of a case: to strive for, or one that must hold. */
export interface Aim {
  readonly kind: 'aim' | 'must'
  /**
   * Of the first peer: a key of its figures, or its operations per second. Left out when the run
   * could not measure it, because the peer that it is about is absent.
   */
  readonly figure: string
  readonly unit: string
  readonly least?: number
  readonly most?: number
}

export interface Case {
  readonly label: string
  /** Measures for `durationMs`, in a directory that is empty before and removed after. */
  run(directory: string, durationMs: number): Promise<readonly Round[]>
  /** Rounds, when fewer than asked for are enough. */
  readonly roundsMax?: number
  /** Keeps the directory from one round to the next. */
  readonly keepsDirectory?: boolean
  readonly aims?: readonly Aim[]
}

export interface Benchmark {
  readonly name: string
  readonly summary: string
  readonly cases: readonly Case[]
  /** Starts what all cases need, once; gives what ends it. Told where its data may go. */
  readonly open?: (directory: string) => Promise<() => Promise<void>>
  /** How the measurements are written for people, when not as a table of sends. */
  readonly report?: (measurements: readonly Measurement[]) => string
}

/** What became of an aim. */
export interface AimResult extends Aim {
  readonly value: number
  readonly isMet: boolean
}

/** One line of the output. */
export interface Measurement extends CaseName {
  readonly name: string
  /** The label of the case. */
  readonly case: string
  /** Of the case; with the first peer of it. */
  readonly aims: readonly AimResult[]
  /** Operations per second over the rounds. */
  readonly ops: { readonly min: number; readonly median: number; readonly max: number }
  readonly p50Ms: number
  readonly p99Ms: number
  /** Load average of the machine over one minute, when the last round ended. */
  readonly load: number
  readonly earlyReplies: number
  readonly fileSystem: string
  /** The median of the rounds. */
  readonly figures: Readonly<Record<string, number>>
}
