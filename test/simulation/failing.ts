/** Messages that fail by what they are: their id says how, to every instance in every life. */
import type { RetryPolicy } from '@sagalog/client'

export interface Failing {
  readonly attemptsMax: number
  readonly retry: RetryPolicy
  /** The first try that its handler gets through; more than `attemptsMax` for none. */
  triesNeeded(id: string): number
  /** False for one that no codec can read. */
  isReadable(id: string): boolean
}

function draw(id: string, below: number): number {
  let hash = 0x811c_9dc5
  for (let index = 0; index < id.length; index += 1)
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x0100_0193)
  return ((hash >>> 0) >>> 7) % below
}

export const failing: Failing = {
  attemptsMax: 4,
  retry: { by: 'backoff', minMs: 5, maxMs: 60 },
  triesNeeded: (id) => [1, 1, 1, 1, 1, 2, 2, 3, 4, 1_000][draw(id, 10)] ?? 1,
  isReadable: (id) => draw(`${id} codec`, 12) > 0,
}
