/**
 * A message with a time of delivery comes when the broker's wall clock has read that time, not
 * before. One with a delay comes when the monotonic clock has, as long as the broker lives that
 * took it, and by the wall clock of the start after that. Neither is much later. The log says what
 * the wall clock read when it came; where that can have been at several times, one must do. Pure.
 */
import type { Checker, Delay, StoredMessage, StoredTimer } from '../history.js'
import { type BrokerLife, brokerLives, type Span, WallClock } from './wall-clock.js'

/** A full or slow disk holds it up for so long. */
const SLACK_MS = 4_000
/** So often the broker looks whether its wall clock was moved. */
const WATCH_MS = 5_000

export const byItsClock: Checker = {
  promise: 'by-its-clock',
  check(history, { messages, timers }) {
    const violations: string[] = []
    const wall = new WallClock(history)
    const lives = brokerLives(history)
    const came = new Map(messages.map((message) => [message.id, message]))
    const stored = new Map(timers.map((timer) => [timer.id, timer]))
    const handledMs = new Map<string, number>()
    const asked = new Map<string, { delay: Delay; atMs: number }>()
    for (const event of history.events) {
      if (event.kind === 'delaying') asked.set(event.id, { delay: event, atMs: event.atMs })
      if (event.kind === 'handling' && !handledMs.has(event.message))
        handledMs.set(event.message, event.atMs)
    }
    for (const [id, { atMs, delay }] of asked) {
      const message = came.get(id)
      if (message === undefined) continue
      const window = { fromMs: atMs, toMs: (handledMs.get(id) ?? Infinity) + 1 }
      const judge = new Judge({ wall, lives, window, message, timer: stored.get(id) })
      const wrong = 'untilMs' in delay ? judge.until(delay.untilMs) : judge.after(delay.forMs)
      if (wrong !== undefined) violations.push(`${id} of ${JSON.stringify(delay)} ${wrong}`)
    }
    return violations
  },
}

interface Case {
  readonly wall: WallClock
  readonly lives: readonly BrokerLife[]
  /** From when it was asked for until it was seen. */
  readonly window: Span
  readonly message: StoredMessage
  /** Missing for one that was due at once. */
  readonly timer: StoredTimer | undefined
}

class Judge {
  readonly #case: Case
  readonly #came: readonly Span[]

  constructor(one: Case) {
    this.#case = one
    this.#came = this.#times(one.message.storedAtMs)
  }

  #times(readingMs: number): Span[] {
    const { wall, window } = this.#case
    // At one instant something may be asked for, be stored, and the clock be moved, in that order:
    // the stretch before the move ends where the window begins, and it counts.
    return wall
      .timesOf(readingMs)
      .filter(({ fromMs, toMs }) => fromMs <= window.toMs && toMs >= window.fromMs)
  }

  #lifeAt({ fromMs, toMs }: Span): BrokerLife | undefined {
    return this.#case.lives.find((life) => life.fromMs < toMs && fromMs <= life.toMs)
  }

  until(untilMs: number): string | undefined {
    const { wall, window } = this.#case
    const inTime = this.#came.filter((came) =>
      wall.reaches(untilMs, { fromMs: window.fromMs, toMs: came.toMs }),
    )
    if (inTime.length === 0) return 'came before the wall clock had read its time'
    const isPrompt = inTime.some((came) => {
      const life = this.#lifeAt(came)
      const readyMs = wall.hasReadSince(untilMs, came.fromMs)
      const fromMs = Math.max(readyMs, life?.servesAtMs ?? 0, window.fromMs)
      return came.fromMs <= fromMs + WATCH_MS + SLACK_MS
    })
    return isPrompt ? undefined : 'came long after the wall clock had read its time'
  }

  after(forMs: number): string | undefined {
    const { timer } = this.#case
    if (timer === undefined) return forMs === 0 ? undefined : 'came at once'
    const spans: Span[] = []
    for (const stored of this.#times(timer.storedAtMs))
      for (const came of this.#came) {
        const due = this.#dueAfter(forMs, { stored, came, timer })
        if (due === undefined) return undefined
        spans.push(due)
        if (came.toMs + 1 > due.fromMs && came.fromMs <= due.toMs + SLACK_MS) return undefined
      }
    const due = spans.map(({ fromMs, toMs }) => `${fromMs} to ${toMs}`).join(' or ')
    return `came at ${this.#came.map(({ fromMs }) => fromMs).join(' or ')} ms, due at ${due}`
  }

  /** When it is due; undefined when its clock was moved while the broker started. */
  #dueAfter(
    forMs: number,
    { came, stored, timer }: { stored: Span; came: Span; timer: StoredTimer },
  ): Span | undefined {
    const life = this.#lifeAt(came)
    if (life === undefined || life === this.#lifeAt(stored))
      return { fromMs: stored.fromMs + forMs, toMs: stored.toMs + forMs }
    const { fromMs, servesAtMs } = life
    const aheadMs = this.#case.wall.aheadIn({ fromMs, toMs: servesAtMs })
    if (aheadMs === undefined) return undefined
    const dueMs = timer.dueAtMs - aheadMs
    return { fromMs: Math.max(fromMs, dueMs), toMs: Math.max(servesAtMs, dueMs + 1) }
  }
}
