/**
 * What goes into the log and what comes out. A draft knows how many bytes it needs and writes
 * itself once its position is known, because a stored message carries its own position.
 */
import type { Position } from './ids.js'
import type { RecordKind } from './record-kinds.js'

export interface Draft {
  readonly kind: RecordKind
  /** Body bytes; what `encodeAt` writes, exactly. */
  readonly bytes: number
  /** Writes the body into `target` from index `at`; `position` is the record's own. */
  encodeAt(target: Buffer, at: number, position: Position): void
}

/**
 * A record as it stands in the log: `source[start, end)` is its body. The bytes are shared with the
 * log and must not be changed; copy what has to outlive the call.
 */
export interface LogRecord {
  readonly kind: RecordKind
  readonly version: number
  readonly position: Position
  readonly source: Buffer
  readonly start: number
  readonly end: number
}

/** A draft of bytes that do not depend on their position. */
export function bytesDraft(kind: RecordKind, body: Buffer): Draft {
  return {
    kind,
    bytes: body.length,
    encodeAt(target, at) {
      body.copy(target, at)
    },
  }
}
