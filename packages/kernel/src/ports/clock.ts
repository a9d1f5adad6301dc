/**
 * Time. Deadlines and leases use the monotonic clock only; the wall clock is data, it may jump.
 */

/** Stops what was planned; harmless when it has run. */
export type Cancel = () => void

export interface Clock {
  /** Milliseconds since 1970; may jump both ways. */
  wallMs(): number
  /** Milliseconds from an unknown start; never goes back. */
  monotonicMs(): number
  /** Runs `task` once, after at least `delayMs`. */
  after(delayMs: number, task: () => void): Cancel
  /** Runs `task` once the current turn of the event loop has done its work. */
  defer(task: () => void): void
}

/** Resolves after at least `delayMs`. */
export function sleep(clock: Pick<Clock, 'after'>, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(delayMs, resolve)
  })
}

/** Resolves in a later turn of the event loop: whatever else waits runs first. */
export function turn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.defer(resolve)
  })
}
