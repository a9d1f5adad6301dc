/**
 * The facts about producers that number their sends, one value type, draft and reader each.
 * Layouts: the fields in the order in which they are written here (fields.ts). Version 1.
 */
import {
  bytesDraft,
  type Draft,
  type LogRecord,
  position,
  type Position,
  type QueueOffset,
  queueOffset,
} from '@sagalog/kernel'
import { FieldReader, FieldWriter } from './fields.js'

/** Where a numbered send was stored: what its first answer said. */
export interface StoredSend {
  readonly position: Position
  readonly queueId: number
  readonly queueOffset: QueueOffset
}

/** What is known of a producer. */
export interface ProducerFact {
  readonly producer: number
  /** Every send below it has ended: it is stored or never will be. */
  readonly floor: number
  /** The newest of its sends that is stored; the log's place of the fact for one without any. */
  readonly lastAt: Position
  /** By number, those stored from the floor on. */
  readonly stored: readonly (StoredSend & { readonly number: number })[]
}

/** `lastAt` is written as 0 by the first send, which does not know its place. */
export function producerDraft(fact: Omit<ProducerFact, 'lastAt'>, lastAt = 0): Draft {
  const body = new FieldWriter().number(fact.producer).number(fact.floor).number(lastAt)
  body.number(fact.stored.length)
  for (const send of fact.stored) {
    body.number(send.number - fact.floor).number(send.position)
    body.number(send.queueId).number(send.queueOffset)
  }
  return bytesDraft('producer', body.done())
}

export function readProducer(record: LogRecord): ProducerFact {
  const fields = new FieldReader(record.source, record.start, record.end)
  const producer = fields.number()
  const floor = fields.number()
  const lastAt = fields.number()
  const stored: (StoredSend & { number: number })[] = []
  for (let left = fields.number(); left > 0; left -= 1) {
    stored.push({
      number: floor + fields.number(),
      position: position(fields.number()),
      queueId: fields.number(),
      queueOffset: queueOffset(fields.number()),
    })
  }
  return {
    producer,
    floor,
    lastAt: lastAt === 0 ? record.position : position(lastAt),
    stored,
  }
}

/** A producer is forgotten. */
export function producerEndDraft(producer: number): Draft {
  return bytesDraft('producer-end', new FieldWriter().number(producer).done())
}

export function readProducerEnd(record: LogRecord): number {
  return new FieldReader(record.source, record.start, record.end).number()
}
