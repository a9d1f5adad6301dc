/**
 * Keeps background work to a number of bytes a second, in slices between which everything else gets
 * its turn.
 */
import { assert, type Cancel, type Clock, turn } from '@sagalog/kernel'

/** What was not used for a while is not caught up with. */
const BURST_MS = 50

export interface Pace {
  /** Waits as long as the bytes that were just worked on may take; false once it was stopped. */
  spent(bytes: number): Promise<boolean>
  readonly isStopped: boolean
  stop(): void
}

export function pace(clock: Clock, bytesPerSecond: number): Pace {
  assert(bytesPerSecond > 0, 'a pace moves')
  let isStopped = false
  /** When the bytes so far may have been worked on. */
  let dueMs = clock.monotonicMs()
  /** Ends the wait that is under way. */
  let end: (() => void) | undefined

  function wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel: Cancel = clock.after(ms, resolve)
      end = () => {
        cancel()
        resolve()
      }
    })
  }
  return {
    async spent(bytes) {
      if (isStopped) return false
      const nowMs = clock.monotonicMs()
      dueMs = Math.max(dueMs, nowMs - BURST_MS) + (bytes * 1000) / bytesPerSecond
      // A timer is coarse: below its grain a turn of the event loop is enough.
      if (dueMs - nowMs >= 1) await wait(dueMs - nowMs)
      else await turn(clock)
      end = undefined
      return !isStopped
    },
    get isStopped() {
      return isStopped
    },
    stop() {
      isStopped = true
      end?.()
    },
  }
}
