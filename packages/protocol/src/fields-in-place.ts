/**
 * A second way for the fields of requests that come by the hundred thousand: written and read where
 * they stand in a binary header, without the map that `RequestCodec` speaks of. A codec that has it
 * still has the first way, which is what the wire looks like; the second gives the same bytes and
 * the same values, or leaves it to the first.
 */
import type { FieldReader } from './field-reader.js'
import type { FieldWriter } from './field-writer.js'

export interface FieldsInPlace<Payload> {
  /** An upper bound of what `write` takes; above `FIELDS_BYTES_MAX` the first way is taken. */
  bytesMax(payload: Payload): number
  /** Writes the fields in the order in which the codec's map has them. */
  write(payload: Payload, fields: FieldWriter): void
  bodyOf(payload: Payload): Buffer
  /** Undefined for whatever is not plain: then the header is read the first way. */
  read(fields: FieldReader, body: Buffer): Payload | undefined
}

/** Longer fields are too rare to be worth the room. */
export const FIELDS_BYTES_MAX = 4_096
