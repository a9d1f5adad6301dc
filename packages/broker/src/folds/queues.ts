/**
 * The queues: which record holds the message at each offset. Bodies only: the index is made from
 * message and event records, whose own stored offset it must meet.
 * Invariant: offsets are dense; the list's length is the next offset.
 */
import { assert, type Fold, type LogRecord, type Position } from '@sagalog/kernel'
import { storedQueueId, storedQueueOffset, storedTopic } from '@sagalog/protocol'
import { storedMessageStart } from '../records/event-record.js'
import { FieldWriter } from '../records/fields.js'
import { PositionList } from './position-list.js'
import { loadLists, saveLists } from './saved-lists.js'

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
    for (const { positions } of this.all()) {
      if (positions.length === 0) continue
      const first = positions.at(0)
      if (lowest === undefined || first < lowest) lowest = first
    }
    return lowest
  }

  /** Nothing is taken out of an index yet. */
  needsBody(_record: LogRecord): boolean {
    return true
  }

  save(end: Position): Iterator<Buffer> {
    return saveLists(this.all(), end, ({ topic, queueId }) =>
      new FieldWriter().text(topic).number(queueId),
    )
  }

  load(chunk: Buffer): void {
    loadLists(chunk, (head) => this.require(head.text(), head.number()).positions)
  }

  *all(): Generator<Queue, void> {
    for (const queues of this.byTopic.values())
      for (const queue of queues) if (queue !== undefined) yield queue
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
