/**
 * Keeps background work to a number of bytes a second, in slices between which everything else gets
 * its turn.
 */
import { assert, type Cancel, type Clock } from '@sagalog/kernel'

export interface Pace {
  /** Waits as long as the bytes that were just worked on may take; false once it was stopped. */
  spent(bytes: number): Promise<boolean>
  readonly isStopped: boolean
  stop(): void
}

export function pace(clock: Clock, bytesPerSecond: number): Pace {
  assert(bytesPerSecond > 0, 'a pace moves')
  let isStopped = false
  /** Ends the wait that is under way. */
  let end: (() => void) | undefined
  return {
    async spent(bytes) {
      if (isStopped) return false
      await new Promise<void>((resolve) => {
        const cancel: Cancel = clock.after((bytes * 1000) / bytesPerSecond, resolve)
        end = () => {
          cancel()
          resolve()
        }
      })
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
