/** Moves a group in a topic: for an operator who wants messages again, or not at all. */
import { type ConsumeFrom, resetOffset } from '@sagalog/protocol'
import type { Connection } from './connection.js'

export interface OffsetReset {
  readonly group: string
  readonly topic: string
  /** The first messages, behind the last ones, or the first that were stored at a time or later. */
  readonly to: ConsumeFrom
  /** One queue; all of the topic unless told. */
  readonly queueId?: number
}

export interface ResetQueue {
  readonly queueId: number
  /** The first message that the group gets from here. */
  readonly offset: number
}

/**
 * Moves the group, whether its consumers are online or not; of a broadcasting group, every instance
 * that has a place. What is in hand when it happens is not committed any more. Rejects with
 * ClientError; REJECTED when there is no such group or topic.
 */
export async function resetOffsets(
  connection: Connection,
  { group, queueId = -1, to, topic }: OffsetReset,
): Promise<readonly ResetQueue[]> {
  const timestampMs = to === 'first' ? 0 : to === 'last' ? -1 : to.storedAtMs
  const reset = { group, topic, queueId, offset: -1, timestampMs, isForced: true }
  const { offsets } = await connection.call(resetOffset, reset)
  return offsets.map((queue) => ({ queueId: queue.queueId, offset: queue.offset }))
}
