/**
 * What `append` gives back. Most callers wait for the end and never look at the records, so these
 * are made when they are asked for, from the bytes that were just encoded.
 */
import { assert, type LogRecord, position, type Position, recordKindOf } from '@sagalog/kernel'
import type { Appended } from './api.js'
import { FRAME_HEADER_BYTES, frameCount } from './frame-format.js'
import { RECORD_HEADER_BYTES, recordLength } from './record-format.js'

export class AppendedFrame implements Appended {
  readonly end: Position
  readonly #source: Buffer
  /** The position of index 0 of the source. */
  readonly #base: Position
  /** The index of the frame. */
  readonly #at: number
  #records: readonly LogRecord[] | undefined

  constructor(end: Position, source: Buffer, base: Position, at: number) {
    this.end = end
    this.#source = source
    this.#base = base
    this.#at = at
  }

  get records(): readonly LogRecord[] {
    this.#records ??= this.#views()
    return this.#records
  }

  #views(): LogRecord[] {
    const source = this.#source
    const records: LogRecord[] = []
    let at = this.#at + FRAME_HEADER_BYTES
    for (let count = frameCount(source, this.#at); count > 0; count -= 1) {
      const kind = recordKindOf(source[at + 8] ?? 0)
      assert(kind !== undefined, 'what was just encoded has a kind')
      const start = at + RECORD_HEADER_BYTES
      const end = start + recordLength(source, at)
      const version = source[at + 9] ?? 0
      records.push({ kind, version, position: position(this.#base + at), source, start, end })
      at = end
    }
    return records
  }
}
