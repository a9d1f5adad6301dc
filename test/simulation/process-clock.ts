/**
 * One simulated process: its clock, and the door through which everything from outside enters it.
 * A process that is paused does nothing until it wakes, like a stopped one; a process that was
 * killed never does anything again.
 */
import type { Clock } from '@sagalog/kernel'
import type { NodeClock, SimulatedTime } from '@sagalog/kernel/testing'

export interface SimulatedProcess {
  readonly clock: Clock
  /** The clock that the simulated disk ties its handles to. */
  readonly nodeClock: NodeClock
  readonly isDead: boolean
  readonly isPaused: boolean
  /** Runs `task` in the process: at once, when it wakes, or never. */
  enter(task: () => void): void
  pause(): void
  resume(): void
  kill(): void
}

export function simulatedProcess(time: SimulatedTime): SimulatedProcess {
  const nodeClock = time.nodeClock()
  let isPaused = false
  let waiting: (() => void)[] = []

  function enter(task: () => void): void {
    if (nodeClock.isDead) return
    if (isPaused) waiting.push(task)
    else task()
  }
  return {
    nodeClock,
    enter,
    clock: {
      wallMs: () => nodeClock.wallMs(),
      monotonicMs: () => nodeClock.monotonicMs(),
      after(delayMs, task) {
        let isCancelled = false
        const cancel = nodeClock.after(delayMs, () => {
          enter(() => {
            if (!isCancelled) task()
          })
        })
        return () => {
          isCancelled = true
          cancel()
        }
      },
      defer(task) {
        nodeClock.defer(() => enter(task))
      },
    },
    get isDead() {
      return nodeClock.isDead
    },
    get isPaused() {
      return isPaused
    },
    pause() {
      isPaused = true
    },
    resume() {
      if (!isPaused) return
      isPaused = false
      const tasks = waiting
      waiting = []
      for (const task of tasks) nodeClock.defer(() => enter(task))
    },
    kill() {
      nodeClock.kill()
      waiting = []
    },
  }
}
