/**
 * Writes a binary body into one buffer that grows by doubling. It refuses what the reader would
 * refuse, so that nothing leaves that can't be read.
 */
import { assert } from '@sagalog/kernel'
import { ProtocolError } from './errors.js'
import { isAsciiText, SHORT_CHARS_MAX, writeText } from './short-text.js'
import { BODY_BYTES_MAX, LIST_ITEMS_MAX, TEXT_BYTES_MAX } from './limits.js'

const FIRST_BYTES = 512
const WORD = 0x1_0000_0000
const HALF_A_PAIR = /\p{Cs}/u

export class ByteWriter {
  #bytes: Buffer = Buffer.allocUnsafe(FIRST_BYTES)
  #end = 0

  #room(bytes: number): number {
    const at = this.#end
    const end = at + bytes
    if (end > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    this.#end = end
    return at
  }

  u8(value: number): void {
    const at = this.#room(1)
    this.#bytes.writeUInt8(value, at)
  }

  u32(value: number): void {
    const at = this.#room(4)
    this.#bytes.writeUInt32BE(value, at)
  }

  /** A whole number that a JavaScript number holds exactly. */
  u64(value: number): void {
    assert(Number.isSafeInteger(value) && value >= 0, 'a u64 is a whole number from 0 up')
    const at = this.#room(8)
    this.#bytes.writeUInt32BE(Math.floor(value / WORD), at)
    this.#bytes.writeUInt32BE(value % WORD, at + 4)
  }

  f64(value: number): void {
    const at = this.#room(8)
    this.#bytes.writeDoubleBE(value, at)
  }

  text(value: string, what: string): void {
    const { length } = value
    const isShort = length <= SHORT_CHARS_MAX && isAsciiText(value)
    const bytes = isShort ? length : Buffer.byteLength(value, 'utf8')
    if (bytes > TEXT_BYTES_MAX)
      throw new ProtocolError('TOO_LARGE', { what, bytes, max: TEXT_BYTES_MAX })
    // UTF-8 has no form for it: another text would arrive, perhaps that of another name.
    if (!isShort && HALF_A_PAIR.test(value))
      throw new ProtocolError('FIELD_INVALID', { field: what, value: 'half a surrogate pair' })
    this.u32(bytes)
    const at = this.#room(bytes)
    if (isShort) writeText(this.#bytes, value, at)
    else this.#bytes.write(value, at, 'utf8')
  }

  bytes(value: Buffer, what: string): void {
    const { length } = value
    if (length > BODY_BYTES_MAX)
      throw new ProtocolError('TOO_LARGE', { what, bytes: length, max: BODY_BYTES_MAX })
    this.u32(length)
    const at = this.#room(length)
    value.copy(this.#bytes, at)
  }

  /** The number of items of a list; the items follow. */
  count(items: number, what: string): void {
    if (items > LIST_ITEMS_MAX)
      throw new ProtocolError('TOO_LARGE', { what, bytes: items, max: LIST_ITEMS_MAX })
    this.u32(items)
  }

  /** A view of everything written; the writer must not be used after it. */
  finish(): Buffer {
    return this.#bytes.subarray(0, this.#end)
  }
}
