/** The offset of a queue at a time: a binary search over store times, which never go back much. */
import { type QueueOffset, queueOffset } from '@sagalog/kernel'
import { storedStoreTimestampMs } from '@sagalog/protocol'
import type { Core } from './core.js'
import { storedMessageStart } from './records/event-record.js'

export interface AtTime {
  readonly topic: string
  readonly queueId: number
  readonly timestampMs: number
  /** The first message of that millisecond, or the last one. */
  readonly boundary: 'lower' | 'upper'
}

/**
 * The first message stored at the time or later; the next offset when all are older. With `upper`
 * the last message not stored later, when that is of the same millisecond.
 */
export async function offsetByTime(core: Core, at: AtTime): Promise<QueueOffset> {
  const queue = core.state.queues.find(at.topic, at.queueId)
  if (queue === undefined) return queueOffset(0)
  const { positions } = queue
  /** What was let go meanwhile is older than anything. */
  const storedAt = async (offset: number): Promise<number> => {
    if (offset < positions.start) return -1
    try {
      const place = positions.at(offset)
      const record = core.log.peek(place) ?? (await core.log.read(place))
      return storedStoreTimestampMs(record.source, storedMessageStart(record))
    } catch (error) {
      if (offset < positions.start) return -1
      throw error
    }
  }
  const firstAfter = async (isAfter: (ms: number) => boolean): Promise<number> => {
    let low = positions.start
    let high = positions.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (isAfter(await storedAt(middle))) high = middle
      else low = middle + 1
    }
    return low
  }
  const lower = await firstAfter((ms) => ms >= at.timestampMs)
  if (at.boundary === 'lower') return queueOffset(lower)
  const upper = await firstAfter((ms) => ms > at.timestampMs)
  return queueOffset(upper > lower ? upper - 1 : lower)
}
