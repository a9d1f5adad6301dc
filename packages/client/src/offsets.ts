/** Moves a group in a topic: for an operator who wants messages again, or not at all. */
import { assert } from '@sagalog/kernel'
import { type ConsumeFrom, resetOffset } from '@sagalog/protocol'
import type { Connection } from './connection.js'

export interface OffsetReset {
  readonly group: string
  readonly topic: string
  /**
   * The first messages, behind the last ones, the first that were stored at a time or later, or an
   * offset of one queue.
   */
  readonly to: ConsumeFrom | { readonly offset: number }
  /** One queue; all of the topic unless told, which an offset needs. */
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
 * ClientError; REJECTED when there is no such group, topic or offset.
 */
export async function resetOffsets(
  connection: Connection,
  { group, queueId = -1, to, topic }: OffsetReset,
): Promise<readonly ResetQueue[]> {
  const isOffset = typeof to === 'object' && 'offset' in to
  const offset = isOffset ? to.offset : -1
  const isSound = Number.isSafeInteger(offset) && offset >= 0 && queueId >= 0
  assert(!isOffset || isSound, 'an offset to reset to is a whole number, of a queue that is named')
  const timestampMs =
    to === 'first' ? 0 : to === 'last' || 'offset' in to ? -1 : Math.max(0, to.storedAtMs)
  const reset = { group, topic, queueId, offset, timestampMs, isForced: true }
  const { offsets } = await connection.call(resetOffset, reset)
  return offsets.map((queue) => ({ queueId: queue.queueId, offset: queue.offset }))
}
