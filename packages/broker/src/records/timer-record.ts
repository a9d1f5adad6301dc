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

/** No client can name a timer so: control characters are refused in names. */
const FOR_A_TIME = '\u0001'
const UNTIL_A_TIME = '\u0002'

/** The id of a timer that the broker sets itself; it tells which clock counts. */
export const ownTimerId = (isUntil: boolean, uniqueId: string): string =>
  (isUntil ? UNTIL_A_TIME : FOR_A_TIME) + uniqueId

/** True for a timer that nobody named: a message that its sender delayed. */
export const isOwnTimer = ([first]: string): boolean =>
  first === FOR_A_TIME || first === UNTIL_A_TIME

/** True for a timer that is due when the wall clock reads its time, not before. */
export const isUntilTime = (id: string): boolean => id.startsWith(UNTIL_A_TIME)
