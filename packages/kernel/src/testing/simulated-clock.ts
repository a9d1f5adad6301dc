/**
 * A clock that moves only when it is told to, and the scheduler of a simulated world: everything
 * that will happen stands in one heap, ordered by time and then by a random tiebreak, so that a
 * seed fixes the interleaving. A node's clock dies with the node: what it had planned never runs.
 */
import { assert } from '../assert.js'
import type { Clock } from '../ports/clock.js'
import type { Random } from '../ports/random.js'

interface Planned {
  readonly atMs: number
  readonly tiebreak: number
  readonly order: number
  readonly isAlive: () => boolean
  run: (() => void) | undefined
}

function isBefore(left: Planned, right: Planned): boolean {
  if (left.atMs !== right.atMs) return left.atMs < right.atMs
  if (left.tiebreak !== right.tiebreak) return left.tiebreak < right.tiebreak
  return left.order < right.order
}

export interface NodeClock extends Clock {
  /** Forgets everything planned on this clock, for ever. */
  kill(): void
  readonly isDead: boolean
}

export interface SimulatedTime {
  /** Simulated milliseconds since the start. */
  nowMs(): number
  /** A clock for one simulated process. */
  nodeClock(): NodeClock
  /** Plans an event of the world itself. */
  plan(delayMs: number, run: () => void): void
  /** Moves the wall clock only. */
  jumpWall(byMs: number): void
  /** Runs the next planned event; false when there is none at or before `untilMs`. */
  step(untilMs?: number): boolean
  /** Runs events, letting promises settle after each, until `isDone`, idleness or `untilMs`. */
  run(options: { untilMs: number; isDone?: () => boolean }): Promise<'done' | 'idle' | 'late'>
}

/** One turn of the real event loop: every promise that can settle has settled after it. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

export function simulatedTime(random: Random, wallStartMs = 1_700_000_000_000): SimulatedTime {
  const heap: Planned[] = []
  let nowMs = 0
  let wallJumpMs = 0
  let order = 0

  const at = (index: number): Planned => {
    const planned = heap[index]
    assert(planned !== undefined, 'the heap index is inside the heap')
    return planned
  }
  function push(planned: Planned): void {
    let index = heap.push(planned) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (!isBefore(planned, at(parent))) break
      heap[index] = at(parent)
      index = parent
    }
    heap[index] = planned
  }
  function pop(): Planned {
    const top = at(0)
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return top
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(at(child + 1), at(child))) child += 1
      if (!isBefore(at(child), last)) break
      heap[index] = at(child)
      index = child
    }
    heap[index] = last
    return top
  }
  function plan(delayMs: number, isAlive: () => boolean, run: () => void): Planned {
    assert(delayMs >= 0, 'nothing is planned for the past')
    order += 1
    const planned: Planned = {
      atMs: nowMs + delayMs,
      tiebreak: random.uint32(),
      order,
      isAlive,
      run,
    }
    push(planned)
    return planned
  }

  const time: SimulatedTime = {
    nowMs: () => nowMs,
    nodeClock() {
      let isDead = false
      const isAlive = (): boolean => !isDead
      return {
        wallMs: () => Math.floor(wallStartMs + nowMs + wallJumpMs),
        monotonicMs: () => nowMs,
        after(delayMs, task) {
          const planned = plan(Math.max(0, delayMs), isAlive, task)
          return () => {
            planned.run = undefined
          }
        },
        // A turn of a real loop takes some time too; without it a world could spin in place.
        defer(task) {
          plan(0.001, isAlive, task)
        },
        kill() {
          isDead = true
        },
        get isDead() {
          return isDead
        },
      }
    },
    plan(delayMs, run) {
      plan(delayMs, () => true, run)
    },
    jumpWall(byMs) {
      wallJumpMs += byMs
    },
    step(untilMs = Number.POSITIVE_INFINITY) {
      while (heap.length > 0) {
        if (at(0).atMs > untilMs) return false
        const planned = pop()
        // What was cancelled never happens: time does not move for it.
        if (planned.run === undefined || !planned.isAlive()) continue
        nowMs = planned.atMs
        planned.run()
        return true
      }
      return false
    },
    async run({ untilMs, isDone }) {
      for (;;) {
        await settle()
        if (isDone?.() === true) return 'done'
        if (!time.step(untilMs)) return heap.length > 0 ? 'late' : 'idle'
      }
    },
  }
  return time
}
