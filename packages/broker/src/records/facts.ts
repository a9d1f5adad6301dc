/**
 * The facts of the broker, one value type, draft and reader each. Layouts: the fields in the order
 * in which they are written here (fields.ts). Version 1 of all of them but those that say
 * otherwise.
 */
import {
  bytesDraft,
  type Draft,
  leaseEpoch,
  type LeaseEpoch,
  type LogRecord,
  position,
  type Position,
  queueOffset,
  type QueueOffset,
} from '@sagalog/kernel'
import { FieldReader, FieldWriter } from './fields.js'

const read = (record: LogRecord): FieldReader =>
  new FieldReader(record.source, record.start, record.end)

export type TopicKind = 'message' | 'event'

export interface TopicFact {
  readonly name: string
  readonly kind: TopicKind
  readonly readQueues: number
  readonly writeQueues: number
  readonly perm: number
}

export function topicDraft(fact: TopicFact): Draft {
  const body = new FieldWriter().text(fact.name).text(fact.kind)
  return bytesDraft(
    'topic',
    body.number(fact.readQueues).number(fact.writeQueues).number(fact.perm).done(),
  )
}

export function readTopic(record: LogRecord): TopicFact {
  const fields = read(record)
  const name = fields.text()
  const kind = fields.text() === 'event' ? 'event' : 'message'
  return {
    name,
    kind,
    readQueues: fields.number(),
    writeQueues: fields.number(),
    perm: fields.number(),
  }
}

/** Where a group stands in a queue: all below the watermark is settled, and `settled` above it. */
export interface PlaceFact {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  readonly watermark: QueueOffset
  readonly settled: readonly QueueOffset[]
}

export function placeDraft(fact: PlaceFact): Draft {
  const body = new FieldWriter().text(fact.group).text(fact.topic).number(fact.queueId)
  return bytesDraft('place', body.number(fact.watermark).numbers(fact.settled).done())
}

export function readPlace(record: LogRecord): PlaceFact {
  const fields = read(record)
  return {
    group: fields.text(),
    topic: fields.text(),
    queueId: fields.number(),
    watermark: queueOffset(fields.number()),
    settled: fields.numbers().map(queueOffset),
  }
}

export interface AckFact {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  readonly offsets: readonly QueueOffset[]
}

export function ackDraft(fact: AckFact): Draft {
  const body = new FieldWriter().text(fact.group).text(fact.topic).number(fact.queueId)
  return bytesDraft('ack', body.numbers(fact.offsets).done())
}

export function readAck(record: LogRecord): AckFact {
  const fields = read(record)
  return {
    group: fields.text(),
    topic: fields.text(),
    queueId: fields.number(),
    offsets: fields.numbers().map(queueOffset),
  }
}

export interface LeaseFact {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  readonly epoch: LeaseEpoch
  readonly instance: string
}

export function leaseDraft(fact: LeaseFact): Draft {
  const body = new FieldWriter().text(fact.group).text(fact.topic).number(fact.queueId)
  return bytesDraft('lease', body.number(fact.epoch).text(fact.instance).done())
}

export function readLease(record: LogRecord): LeaseFact {
  const fields = read(record)
  return {
    group: fields.text(),
    topic: fields.text(),
    queueId: fields.number(),
    epoch: leaseEpoch(fields.number()),
    instance: fields.text(),
  }
}

export type Outcome = 'commit' | 'rollback'

export interface DecisionFact {
  readonly half: Position
  readonly outcome: Outcome
}

export function decisionDraft(fact: DecisionFact): Draft {
  return bytesDraft('decision', new FieldWriter().number(fact.half).text(fact.outcome).done())
}

export function readDecision(record: LogRecord): DecisionFact {
  const fields = read(record)
  const half = position(fields.number())
  return { half, outcome: fields.text() === 'commit' ? 'commit' : 'rollback' }
}

/** A half message that is not decided. */
export interface HalfFact {
  readonly half: Position
  readonly group: string
  readonly transactionId: string
  readonly storedAtMs: number
  readonly checks: number
  readonly isParked: boolean
  /** Of its message; empty for one of which only version 1 of the record tells. */
  readonly topic: string
}

export function halfOpenDraft(fact: HalfFact): Draft {
  const body = new FieldWriter().number(fact.half).text(fact.group)
  body.text(fact.transactionId).number(fact.storedAtMs).number(fact.checks)
  return bytesDraft(
    'half-open',
    body
      .number(fact.isParked ? 1 : 0)
      .text(fact.topic)
      .done(),
  )
}

export function readHalfOpen(record: LogRecord): HalfFact {
  const fields = read(record)
  return {
    half: position(fields.number()),
    group: fields.text(),
    transactionId: fields.text(),
    storedAtMs: fields.number(),
    checks: fields.number(),
    isParked: fields.number() === 1,
    topic: record.version < 2 ? '' : fields.text(),
  }
}

/** A timer that is still to fire; its message is in the record at `position`. */
export interface TimerFact {
  readonly id: string
  readonly dueAtMs: number
  readonly position: Position
  /** Of its message; empty for one of which only version 1 of the record tells. */
  readonly topic: string
}

export function timerOpenDraft(fact: TimerFact): Draft {
  const body = new FieldWriter().text(fact.id).number(fact.dueAtMs).number(fact.position)
  return bytesDraft('timer-open', body.text(fact.topic).done())
}

export function readTimerOpen(record: LogRecord): TimerFact {
  const fields = read(record)
  return {
    id: fields.text(),
    dueAtMs: fields.number(),
    position: position(fields.number()),
    topic: record.version < 2 ? '' : fields.text(),
  }
}

/** The timer whose message is at `position` fired or was cancelled. */
export interface TimerEndFact {
  readonly id: string
  readonly position: Position
}

export function timerEndDraft(fact: TimerEndFact): Draft {
  return bytesDraft('timer-end', new FieldWriter().text(fact.id).number(fact.position).done())
}

export function readTimerEnd(record: LogRecord): TimerEndFact {
  const fields = read(record)
  return { id: fields.text(), position: position(fields.number()) }
}

/** What a queue has: the offsets from `first` on, below `next`. What stood before is let go. */
export interface QueueRangeFact {
  readonly topic: string
  readonly queueId: number
  readonly first: QueueOffset
  readonly next: QueueOffset
}

export function queueRangeDraft(fact: QueueRangeFact): Draft {
  const body = new FieldWriter().text(fact.topic).number(fact.queueId)
  return bytesDraft('queue-range', body.number(fact.first).number(fact.next).done())
}

export function readQueueRange(record: LogRecord): QueueRangeFact {
  const fields = read(record)
  return {
    topic: fields.text(),
    queueId: fields.number(),
    first: queueOffset(fields.number()),
    next: queueOffset(fields.number()),
  }
}

/** The consumer of a group is to go on at `offset`; `isDone` once it has come there. */
export interface ResetFact {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  readonly offset: QueueOffset
  readonly isDone: boolean
}

export function resetDraft(fact: ResetFact): Draft {
  const body = new FieldWriter().text(fact.group).text(fact.topic).number(fact.queueId)
  return bytesDraft(
    'reset',
    body
      .number(fact.offset)
      .number(fact.isDone ? 1 : 0)
      .done(),
  )
}

export function readReset(record: LogRecord): ResetFact {
  const fields = read(record)
  return {
    group: fields.text(),
    topic: fields.text(),
    queueId: fields.number(),
    offset: queueOffset(fields.number()),
    isDone: fields.number() === 1,
  }
}
