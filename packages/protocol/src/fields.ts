/**
 * Reading header fields: Java writes numbers as decimal text and booleans as `true` and `false`.
 * Every reader gives a checked value or throws FIELD_MISSING or FIELD_INVALID.
 */
import { leaseEpoch, position, queueOffset, streamVersion } from '@sagalog/kernel'
import type { LeaseEpoch, Position, QueueOffset, StreamVersion } from '@sagalog/kernel'
import { ProtocolError } from './errors.js'
import type { Fields } from './request-codec.js'

const WHOLE = /^-?\d{1,16}$/
const SHOWN_CHARS_MAX = 64

/** The error for a field with a wrong value; a long value is shown by its beginning. */
export function fieldInvalid(field: string, value: string): ProtocolError {
  const shown = value.length > SHOWN_CHARS_MAX ? `${value.slice(0, SHOWN_CHARS_MAX)}…` : value
  return new ProtocolError('FIELD_INVALID', { field, value: shown })
}

export function textField(fields: Fields, field: string): string {
  const value = fields.get(field)
  if (value === undefined) throw new ProtocolError('FIELD_MISSING', { field })
  return value
}

/** A whole number that a JavaScript number holds exactly, of either sign. */
export function longField(fields: Fields, field: string): number {
  const text = textField(fields, field)
  const value = Number(text)
  if (!WHOLE.test(text) || !Number.isSafeInteger(value)) throw fieldInvalid(field, text)
  return value
}

/** A whole number from 0 up. */
export function countField(fields: Fields, field: string): number {
  const value = longField(fields, field)
  if (value < 0) throw fieldInvalid(field, String(value))
  return value
}

export function int32Field(fields: Fields, field: string): number {
  const value = longField(fields, field)
  if (value !== (value | 0)) throw fieldInvalid(field, String(value))
  return value
}

/** An int32 from 0 up. */
export function count32Field(fields: Fields, field: string): number {
  const value = int32Field(fields, field)
  if (value < 0) throw fieldInvalid(field, String(value))
  return value
}

/** Absent is false, as in Java. */
export const flagField = (fields: Fields, field: string): boolean =>
  fields.get(field)?.toLowerCase() === 'true'

export const positionField = (fields: Fields, field: string): Position =>
  position(countField(fields, field))
export const queueOffsetField = (fields: Fields, field: string): QueueOffset =>
  queueOffset(countField(fields, field))
export const streamVersionField = (fields: Fields, field: string): StreamVersion =>
  streamVersion(countField(fields, field))
export const leaseEpochField = (fields: Fields, field: string): LeaseEpoch =>
  leaseEpoch(countField(fields, field))
