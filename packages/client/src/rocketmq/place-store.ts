/**
 * Where a broadcasting instance keeps its places: RocketMQ's brokers keep one place of a group in a
 * queue, and of such a group each instance has its own.
 */
import type { QueueName } from '@sagalog/protocol'

export interface PlaceOwner {
  readonly group: string
  readonly instance: string
}

export interface StoredPlace extends QueueName {
  /** The first offset that is not settled. */
  readonly offset: number
}

/** What it throws is told as PLACES_FAILED. */
export interface PlaceStore {
  /** Empty for an owner that is new. */
  load(owner: PlaceOwner): Promise<readonly StoredPlace[]>
  /** Resolves once all places of the owner would survive a crash. */
  save(owner: PlaceOwner, places: readonly StoredPlace[]): Promise<void>
}
