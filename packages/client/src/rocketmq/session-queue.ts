/** One queue in the hands of a consumer, as the cluster and as our own code know it. */
import type { LeaseEpoch, QueueOffset } from '@sagalog/kernel'
import type { QueuePlace } from './queue-numbers.js'
import type { ReadPlace } from './read-place.js'

export interface WantedQueue {
  readonly topic: string
  /** The number by which our own code knows it. */
  readonly queueId: number
  readonly at: QueuePlace
}

export interface SessionQueue extends WantedQueue {
  readonly epoch: LeaseEpoch
  readonly place: ReadPlace
  /** `*`, or tags separated by `||`. */
  readonly tags: string
  /** Monotonic milliseconds before its lock was asked for last; undefined without a lock. */
  lockedAtMs: number | undefined
  /** The place that was written down last. */
  written: QueueOffset | undefined
  /** Somebody else is to have it; what is in hand is finished first. */
  isRevoked: boolean
}

export const queueKey = ({ queueId, topic }: Pick<WantedQueue, 'queueId' | 'topic'>): string =>
  `${topic}\u0000${queueId}`
