/** The figures of a run: what was done, how fast, and what the two limits of a saga's time are. */
import type { SagaRecord } from './audit/evidence.js'

/** What one life of the worker did. */
export interface WorkFigures {
  /** Seconds of the monotonic clock from the first placement to the last acknowledgement. */
  readonly seconds: number
  readonly orders: number
  /** Messages and events that got a place in a queue. */
  readonly messages: number
  readonly syncs: number
  readonly bookSyncs: number
  readonly logBytes: number
  /** Replies whose position was not durable when they left; must be 0. */
  readonly earlyReplies: number
}

export interface Percentiles {
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Figures extends WorkFigures {
  readonly sagasPerSecond: number
  readonly messagesPerSecond: number
  readonly syncsPerSecond: number
  readonly sagaMs: Percentiles
  /** Without the orders that are made to time out. */
  readonly sagaMsUntimed: Percentiles
}

function percentilesOf(durations: readonly number[]): Percentiles {
  const sorted = [...durations].sort((left, right) => left - right)
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

/** Milliseconds from a saga's first record to its last, by the log's wall clock. */
export function durationMs(saga: SagaRecord): number {
  return Math.max(0, saga.endedAt.wallMs - saga.startedAt.wallMs)
}

/** Rates of the work, and percentiles of the sagas' durations as recorded. */
export function figuresOf(work: WorkFigures, sagas: readonly SagaRecord[]): Figures {
  const rate = (count: number): number => (work.seconds > 0 ? count / work.seconds : 0)
  const untimed = sagas.filter(({ outcomes }) => !outcomes.includes('timed-out'))
  return {
    ...work,
    sagasPerSecond: rate(work.orders),
    messagesPerSecond: rate(work.messages),
    syncsPerSecond: rate(work.syncs),
    sagaMs: percentilesOf(sagas.map(durationMs)),
    sagaMsUntimed: percentilesOf(untimed.map(durationMs)),
  }
}

/** What a life that did nothing has to show. */
export const NO_WORK: WorkFigures = {
  seconds: 0,
  orders: 0,
  messages: 0,
  syncs: 0,
  bookSyncs: 0,
  logBytes: 0,
  earlyReplies: 0,
}

/** The sum of two lives of the worker; an early reply of either counts. */
export function addWork(left: WorkFigures, right: WorkFigures): WorkFigures {
  return {
    seconds: left.seconds + right.seconds,
    orders: left.orders + right.orders,
    messages: left.messages + right.messages,
    syncs: left.syncs + right.syncs,
    bookSyncs: left.bookSyncs + right.bookSyncs,
    logBytes: left.logBytes + right.logBytes,
    earlyReplies: left.earlyReplies + right.earlyReplies,
  }
}
