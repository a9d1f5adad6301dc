/** What the page draws, computed from the sagas' records: ends by outcome over time, durations. */
import type { SagaRecord } from './audit/evidence.js'
import { durationMs } from './figures.js'

export const OUTCOMES = [
  'completed',
  'out-of-stock',
  'not-approved',
  'payment-refused',
  'timed-out',
] as const

export interface RunSeries {
  /** Seconds since the first saga began, the end of each slice of time. */
  readonly seconds: readonly number[]
  /** For each outcome, the orders that have ended so far, slice by slice. */
  readonly ended: Readonly<Record<string, readonly number[]>>
  /** Seconds since the first saga began at which the worker was killed. */
  readonly kills: readonly number[]
  /** Upper bounds of the histogram's buckets in milliseconds; the last bucket has none. */
  readonly boundsMs: readonly number[]
  readonly durations: Readonly<Record<string, readonly number[]>>
}

const SLICES = 200
const BOUNDS_MS = [2, 5, 10, 20, 50, 100, 200, 300, 500, 1_000, 2_000, 5_000, 10_000] as const

/** `killsAtMs` are times of the wall clock. */
export function seriesOf(sagas: readonly SagaRecord[], killsAtMs: readonly number[]): RunSeries {
  let startMs = Number.POSITIVE_INFINITY
  let endMs = 0
  for (const { startedAt, endedAt } of sagas) {
    startMs = Math.min(startMs, startedAt.wallMs)
    endMs = Math.max(endMs, endedAt.wallMs)
  }
  const sliceMs = Math.max(1, (endMs - startMs) / SLICES)
  const ended = Object.fromEntries(OUTCOMES.map((name) => [name, new Array(SLICES + 1).fill(0)]))
  const durations = Object.fromEntries(
    OUTCOMES.map((name) => [name, new Array(BOUNDS_MS.length + 1).fill(0)]),
  )
  for (const saga of sagas) {
    const outcome = saga.outcomes[0] ?? ''
    count(ended[outcome], Math.min(SLICES, Math.ceil((saga.endedAt.wallMs - startMs) / sliceMs)))
    const bucket = BOUNDS_MS.findIndex((bound) => durationMs(saga) < bound)
    count(durations[outcome], bucket < 0 ? BOUNDS_MS.length : bucket)
  }
  for (const list of Object.values(ended)) {
    for (let slice = 1; slice < list.length; slice += 1) list[slice] += list[slice - 1]
  }
  return {
    seconds: Array.from({ length: SLICES + 1 }, (_, slice) => (slice * sliceMs) / 1_000),
    ended,
    kills: killsAtMs.map((atMs) => (atMs - startMs) / 1_000),
    boundsMs: BOUNDS_MS,
    durations,
  }
}

function count(list: number[] | undefined, index: number): void {
  if (list !== undefined) list[index] = (list[index] ?? 0) + 1
}
