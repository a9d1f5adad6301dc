/**
 * Queues of RocketMQ groups that an operator moved and whose consumer has not been told yet: its
 * next pull gets the new offset, and what it commits until then counts nothing. Memory; the place
 * itself is moved in the log at once.
 */
import type { QueueOffset } from '@sagalog/kernel'

export interface GroupQueueName {
  readonly group: string
  readonly topic: string
  readonly queueId: number
}

const keyOf = ({ group, queueId, topic }: GroupQueueName): string =>
  `${group}\u0000${topic}\u0000${queueId}`

export class PendingResets {
  private readonly offsets = new Map<string, QueueOffset>()

  set(queue: GroupQueueName, offset: QueueOffset): void {
    this.offsets.set(keyOf(queue), offset)
  }

  has(queue: GroupQueueName): boolean {
    return this.offsets.size > 0 && this.offsets.has(keyOf(queue))
  }

  /** The offset to be told, once. */
  take(queue: GroupQueueName): QueueOffset | undefined {
    if (this.offsets.size === 0) return undefined
    const key = keyOf(queue)
    const offset = this.offsets.get(key)
    this.offsets.delete(key)
    return offset
  }
}
