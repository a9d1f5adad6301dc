/** The clock of the machine. The only file that reads it. */
import { performance } from 'node:perf_hooks'
import type { Clock } from '../ports/clock.js'

export function nodeClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    after(delayMs, task) {
      // Node turns a longer delay into 1 ms; a far timer is set again by whoever planned it.
      const timer = setTimeout(task, Math.min(delayMs, 0x7fff_ffff))
      return () => clearTimeout(timer)
    },
    defer(task) {
      setImmediate(task)
    },
  }
}
