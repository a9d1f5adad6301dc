/**
 * The timer record: `text id | number dueAtMs` as attributes, then the message (event-record.ts).
 */
import type { LogRecord } from '@sagalog/kernel'
import { attributesOf, withLength } from './event-record.js'
import { FieldWriter } from './fields.js'

export interface TimerAttributes {
  readonly id: string
  /** By the wall clock. */
  readonly dueAtMs: number
}

export function encodeTimerAttributes(timer: TimerAttributes): Buffer {
  return withLength(new FieldWriter().text(timer.id).number(timer.dueAtMs).done())
}

export function readTimerRecord(record: LogRecord): TimerAttributes {
  const fields = attributesOf(record)
  return { id: fields.text(), dueAtMs: fields.number() }
}
