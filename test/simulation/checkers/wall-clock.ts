/** What the wall clocks of a run read when, from its history. Pure. */
import type { History } from '../history.js'

/** A time that is known to lie in `[fromMs, toMs)` of the simulation. */
export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

interface Stretch extends Span {
  readonly aheadMs: number
}

/** One life of the broker's process. */
export interface BrokerLife extends Span {
  readonly servesAtMs: number
}

export class WallClock {
  readonly #stretches: Stretch[] = []

  constructor({ events }: History) {
    const walls = events.flatMap((event) => (event.kind === 'wall' ? [event] : []))
    for (const [index, { aheadMs, atMs }] of walls.entries())
      this.#stretches.push({ aheadMs, fromMs: atMs, toMs: walls[index + 1]?.atMs ?? Infinity })
  }

  /** When it read this millisecond: more than once when it was set back. */
  timesOf(readingMs: number): Span[] {
    return this.#stretches
      .map(({ aheadMs, fromMs, toMs }) => ({
        fromMs: Math.max(fromMs, readingMs - aheadMs),
        toMs: Math.min(toMs, readingMs - aheadMs + 1),
      }))
      .filter(({ fromMs, toMs }) => fromMs <= toMs)
  }

  /** How far it is ahead at a time; undefined when it was moved within the span. */
  aheadIn({ fromMs, toMs }: Span): number | undefined {
    const found = this.#stretches.find((one) => one.fromMs <= fromMs && toMs < one.toMs)
    return found?.aheadMs
  }

  /** Whether it read `readingMs` or more at some time within the span. */
  reaches(readingMs: number, { fromMs, toMs }: Span): boolean {
    return this.#stretches.some(
      (one) =>
        one.fromMs < toMs &&
        one.toMs > fromMs &&
        Math.min(one.toMs, toMs) + one.aheadMs > readingMs - 1,
    )
  }

  /** Since when, up to `atMs`, it has read `readingMs` or more without a break. */
  hasReadSince(readingMs: number, atMs: number): number {
    let sinceMs = atMs
    for (const { aheadMs, fromMs, toMs } of [...this.#stretches].reverse()) {
      if (fromMs > sinceMs) continue
      if (Math.min(toMs, sinceMs) + aheadMs < readingMs) return sinceMs
      const reachedMs = readingMs - aheadMs
      if (reachedMs > fromMs) return Math.min(sinceMs, reachedMs)
      sinceMs = fromMs
    }
    return sinceMs
  }
}

export function brokerLives({ events }: History): BrokerLife[] {
  const lives: { fromMs: number; servesAtMs: number; toMs: number }[] = []
  for (const event of events) {
    if (event.kind !== 'broker') continue
    const last = lives.at(-1)
    // One that could not open its log ended without a word.
    if (event.what === 'starts') {
      if (last?.toMs === Infinity) last.toMs = event.atMs
      lives.push({ fromMs: event.atMs, servesAtMs: Infinity, toMs: Infinity })
    } else if (last !== undefined && event.what === 'serves') last.servesAtMs = event.atMs
    else if (last !== undefined) last.toMs = event.atMs
  }
  return lives
}
