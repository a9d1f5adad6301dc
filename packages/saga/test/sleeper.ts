/**
 * A process that can be put to sleep past its lease. One that is `stopped` sees on waking how long
 * it slept; one that is `suspended`, like a virtual machine, has a monotonic clock that stood still
 * with it, so it takes its lease for a live one and only the broker can know better.
 */
import type { Channel, Clock } from '@sagalog/kernel'
import type { SimulatedTime } from '@sagalog/kernel/testing'
import type { Command } from '@sagalog/protocol'
import { guarded } from '../../../test/simulation/direct-link.js'
import { simulatedProcess } from '../../../test/simulation/process-clock.js'

export type Sleep = 'stopped' | 'suspended'

export interface Sleeper {
  readonly clock: Clock
  /** Its end of a channel: what comes while it sleeps is there when it wakes. */
  readonly wrap: (channel: Channel<Command>) => Channel<Command>
  sleep(): void
  wake(): void
  /** Resolves after so many milliseconds of the world, and not before it is awake. */
  pause(delayMs: number): Promise<void>
}

/** Below it, what is left of a delay is an error of rounding. */
const ROUNDING_MS = 0.001

export function sleeper(time: SimulatedTime, kind: Sleep): Sleeper {
  const process = simulatedProcess(time)
  let sleptMs = 0
  let asleepSinceMs: number | undefined

  const monotonicMs = (): number => process.clock.monotonicMs() - sleptMs
  const clock: Clock = {
    wallMs: () => process.clock.wallMs(),
    monotonicMs,
    defer: (task) => process.clock.defer(task),
    after(delayMs, task) {
      const dueMs = monotonicMs() + delayMs
      let cancel = (): void => {}
      const arm = (leftMs: number): void => {
        cancel = process.clock.after(leftMs, () => {
          const restMs = dueMs - monotonicMs()
          if (restMs > ROUNDING_MS) arm(restMs)
          else task()
        })
      }
      arm(delayMs)
      return () => cancel()
    },
  }
  return {
    clock,
    wrap: (channel) => guarded(channel, process),
    sleep() {
      asleepSinceMs = process.clock.monotonicMs()
      process.pause()
    },
    wake() {
      if (kind === 'suspended' && asleepSinceMs !== undefined)
        sleptMs += process.clock.monotonicMs() - asleepSinceMs
      asleepSinceMs = undefined
      process.resume()
    },
    pause: (delayMs) =>
      new Promise((resolve) => {
        time.plan(delayMs, () => process.enter(resolve))
      }),
  }
}
