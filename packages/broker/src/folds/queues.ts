/**
 * The queues: which record holds the message at each offset. Bodies only: the index is made from
 * message and event records, whose own stored offset it must meet.
 * Invariant: offsets are dense; the list's length is the next offset.
 */
import { assert, type Fold, type LogRecord, type Position } from '@sagalog/kernel'
import { storedQueueId, storedQueueOffset, storedTopic } from '@sagalog/protocol'
import { storedMessageStart } from '../records/event-record.js'
import { FieldReader, FieldWriter } from '../records/fields.js'
import { PositionList } from './position-list.js'

export interface Queue {
  readonly topic: string
  readonly queueId: number
  readonly positions: PositionList
}

export class QueuesFold implements Fold {
  readonly name = 'queues'
  readonly kinds = ['message', 'event'] as const
  private readonly byTopic = new Map<string, Queue[]>()
  /** Told of each message that got its place; set once the broker lives. */
  onAppend: (queue: Queue) => void = () => undefined

  find(topic: string, queueId: number): Queue | undefined {
    return this.byTopic.get(topic)?.[queueId]
  }

  /** Number of messages that the queue ever had: the offset of the next one. */
  nextOffset(topic: string, queueId: number): number {
    return this.find(topic, queueId)?.positions.length ?? 0
  }

  evolve(record: LogRecord): void {
    if (record.kind !== 'message' && record.kind !== 'event') return
    const at = storedMessageStart(record)
    const queue = this.require(storedTopic(record.source, at), storedQueueId(record.source, at))
    assert(
      storedQueueOffset(record.source, at) === queue.positions.length,
      'the offsets of a queue are dense',
    )
    queue.positions.push(record.position)
    this.onAppend(queue)
  }

  *restate(): Iterable<never> {}

  needs(): Position | undefined {
    let lowest: Position | undefined
    for (const queues of this.byTopic.values()) {
      for (const queue of queues) {
        if (queue === undefined || queue.positions.length === 0) continue
        const first = queue.positions.at(0)
        if (lowest === undefined || first < lowest) lowest = first
      }
    }
    return lowest
  }

  /** Nothing is taken out of an index yet. */
  needsBody(_record: LogRecord): boolean {
    return true
  }

  *save(): Iterable<Buffer> {
    const saved: Buffer[] = []
    for (const queues of this.byTopic.values()) {
      for (const queue of queues) {
        if (queue === undefined) continue
        const head = new FieldWriter().text(queue.topic).number(queue.queueId)
        saved.push(head.bytes(queue.positions.toBytes()).done())
      }
    }
    yield* saved
  }

  load(chunks: Iterable<Buffer>): void {
    for (const chunk of chunks) {
      const fields = new FieldReader(chunk, 0, chunk.length)
      const queue = this.require(fields.text(), fields.number())
      queue.positions.pushBytes(chunk.subarray(fields.index))
    }
  }

  private require(topic: string, queueId: number): Queue {
    let queues = this.byTopic.get(topic)
    if (queues === undefined) {
      queues = []
      this.byTopic.set(topic, queues)
    }
    let queue = queues[queueId]
    if (queue === undefined) {
      queue = { topic, queueId, positions: new PositionList() }
      queues[queueId] = queue
    }
    return queue
  }
}
