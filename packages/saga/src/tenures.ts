/**
 * Tells how long nobody else can have touched the sagas of a queue: as long as its lease lasts. A
 * lease is known by the signal that aborts when it ends; what was kept under another one must be
 * read again.
 */

export interface Tenures {
  /** The tenure of what is handled under this signal. */
  of(signal: AbortSignal): number
}

export function createTenures(): Tenures {
  const known = new WeakMap<AbortSignal, number>()
  let last = 0
  return {
    of(signal) {
      const tenure = known.get(signal)
      if (tenure !== undefined) return tenure
      last += 1
      known.set(signal, last)
      return last
    },
  }
}
