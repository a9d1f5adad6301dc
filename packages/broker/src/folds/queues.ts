/**
 * The queues: which record holds the message at each offset. The index is made from message and
 * event records, whose own stored offset it must meet; a queue-range record is set-valued and says
 * from which offset on the queue still has them.
 * Invariant: offsets are dense from the first that is kept; the list's length is the next offset.
 */
import {
  assert,
  type Draft,
  type Fold,
  type LogRecord,
  type Position,
  queueOffset,
} from '@sagalog/kernel'
import { isStoredTopic, storedQueueId, storedQueueOffset, storedTopic } from '@sagalog/protocol'
import { storedMessageStart } from '../records/event-record.js'
import { queueRangeDraft, readQueueRange } from '../records/facts.js'
import { PositionList } from './position-list.js'
import { loadLists, saveLists } from './saved-lists.js'

export interface Queue {
  readonly topic: string
  readonly queueId: number
  readonly positions: PositionList
}

export class QueuesFold implements Fold {
  readonly name = 'queue-index'
  readonly kinds = ['message', 'event', 'queue-range'] as const
  private readonly byTopic = new Map<string, Queue[]>()
  private lastTopic: Buffer = Buffer.alloc(0)
  private lastQueues: readonly Queue[] = []
  /** Queues whose first messages are gone, and no fact has said so yet: only within a rebuild. */
  private readonly unproven = new Set<Queue>()
  /** Shortened while a save needs what they let go. */
  private readonly untrimmed = new Set<Queue>()
  private saves = 0
  /** Told of each message that got its place; set once the broker lives. */
  onAppend: (queue: Queue) => void = () => undefined

  find(topic: string, queueId: number): Queue | undefined {
    return this.byTopic.get(topic)?.[queueId]
  }

  /** The offset of the first message that the queue still has; the next offset without any. */
  firstOffset(topic: string, queueId: number): number {
    return this.find(topic, queueId)?.positions.start ?? 0
  }

  /** Number of messages that the queue ever had: the offset of the next one. */
  nextOffset(topic: string, queueId: number): number {
    return this.find(topic, queueId)?.positions.length ?? 0
  }

  evolve(record: LogRecord): void {
    if (record.kind === 'queue-range') this.range(record)
    else if (record.kind === 'message' || record.kind === 'event') this.add(record)
  }

  private add(record: LogRecord): void {
    const at = storedMessageStart(record)
    const queue = this.queueOf(record.source, at)
    const { positions } = queue
    const offset = storedQueueOffset(record.source, at)
    assert(offset >= positions.length, 'the offsets of a queue are dense')
    if (offset > positions.length) this.miss(queue, offset)
    positions.push(record.position)
    this.onAppend(queue)
  }

  private range(record: LogRecord): void {
    const { first, next, queueId, topic } = readQueueRange(record)
    const queue = this.require(topic, queueId)
    const { positions } = queue
    if (positions.length < next) this.miss(queue, next)
    if (first < positions.start) return
    this.unproven.delete(queue)
    positions.startAt(first)
    if (this.saves === 0) positions.trim()
    else this.untrimmed.add(queue)
  }

  /** What stood before `offset` is gone; a fact that says why is still to come. */
  private miss(queue: Queue, offset: number): void {
    queue.positions.startAt(offset)
    this.unproven.add(queue)
  }

  /** To be called when all of the log was evolved: nothing is missing that was not let go. */
  assertWhole(): void {
    const [queue] = this.unproven
    const where = queue === undefined ? '' : `${queue.topic}/${queue.queueId}`
    assert(queue === undefined, `messages are missing in ${where} that were not let go`)
  }

  /** A queue that kept all it ever had has nothing to say. */
  *restate(): Iterable<Draft> {
    for (const { positions, queueId, topic } of this.all()) {
      const { length, start } = positions
      if (start === 0) continue
      const range = { topic, queueId, first: queueOffset(start), next: queueOffset(length) }
      yield queueRangeDraft(range)
    }
  }

  needs(): Position | undefined {
    let lowest: Position | undefined
    for (const { positions } of this.all()) {
      if (positions.length === positions.start) continue
      const first = positions.at(positions.start)
      if (lowest === undefined || first < lowest) lowest = first
    }
    return lowest
  }

  needsBody(record: LogRecord): boolean {
    const at = storedMessageStart(record)
    const { source } = record
    const first = this.firstOffset(storedTopic(source, at), storedQueueId(source, at))
    return storedQueueOffset(source, at) >= first
  }

  save(end: Position): Iterator<Buffer> {
    const starts = new Map<Queue, number>()
    for (const queue of this.all())
      if (queue.positions.start > 0) starts.set(queue, queue.positions.start)
    this.saves += 1
    const chunks = saveLists(this.all(), {
      end,
      startOf: (queue) => starts.get(queue) ?? 0,
      head(writer, { queueId, topic }, from) {
        writer.text(topic)
        writer.number(queueId)
        writer.number(from)
      },
    })
    return this.watched(chunks)
  }

  /** Nothing that is let go leaves the memory before the save has ended. */
  private watched(chunks: Generator<Buffer, void>): Iterator<Buffer> {
    let isOver = false
    const end = (): void => {
      if (isOver) return
      isOver = true
      this.saves -= 1
      if (this.saves > 0) return
      for (const { positions } of this.untrimmed) positions.trim()
      this.untrimmed.clear()
    }
    return {
      next() {
        const step = chunks.next()
        if (step.done === true) end()
        return step
      },
      return() {
        end()
        return chunks.return()
      },
    }
  }

  load(chunk: Buffer): void {
    loadLists(chunk, (head) => {
      const { positions } = this.require(head.text(), head.number())
      const from = head.number()
      if (from !== positions.length) positions.startAt(from)
      return positions
    })
  }

  *all(): Generator<Queue, void> {
    for (const queues of this.byTopic.values())
      for (const queue of queues) if (queue !== undefined) yield queue
  }

  /** Messages of one topic come in rows: its name is looked up once for all of them. */
  private queueOf(source: Buffer, at: number): Queue {
    const queueId = storedQueueId(source, at)
    if (isStoredTopic(source, at, this.lastTopic)) {
      const queue = this.lastQueues[queueId]
      if (queue !== undefined) return queue
    }
    const queue = this.require(storedTopic(source, at), queueId)
    this.lastTopic = Buffer.from(queue.topic)
    this.lastQueues = this.byTopic.get(queue.topic) ?? []
    return queue
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
