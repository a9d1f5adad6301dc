/**
 * Reads a binary body. Every read is checked against the end, every count against its bound, so
 * that hostile bytes give a BODY_MALFORMED which names what was read and at which byte, and no
 * memory is taken for what is not there. Byte strings are views of the body.
 */
import { isUtf8 } from 'node:buffer'
import { ProtocolError } from './errors.js'
import { BODY_BYTES_MAX, LIST_ITEMS_MAX, TEXT_BYTES_MAX } from './limits.js'

const WORD = 0x1_0000_0000
const SAFE_HIGH_WORDS = 0x20_0000

export class ByteReader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** The error for what was read last, or begins here. */
  malformed(what: string, at = this.#at): ProtocolError {
    return new ProtocolError('BODY_MALFORMED', { what, at })
  }

  #take(bytes: number, what: string): number {
    const at = this.#at
    if (bytes > this.#bytes.length - at) throw this.malformed(`the body ends inside ${what}`)
    this.#at = at + bytes
    return at
  }

  u8(what: string): number {
    return this.#bytes.readUInt8(this.#take(1, what))
  }

  u32(what: string): number {
    return this.#bytes.readUInt32BE(this.#take(4, what))
  }

  u64(what: string): number {
    const at = this.#take(8, what)
    const high = this.#bytes.readUInt32BE(at)
    if (high >= SAFE_HIGH_WORDS) throw this.malformed(`${what} is too large`, at)
    return high * WORD + this.#bytes.readUInt32BE(at + 4)
  }

  /** A finite number from 0 up. */
  f64(what: string): number {
    const at = this.#take(8, what)
    const value = this.#bytes.readDoubleBE(at)
    if (!Number.isFinite(value) || value < 0) throw this.malformed(`${what} is no duration`, at)
    return value
  }

  text(what: string): string {
    const bytes = this.#length(what, TEXT_BYTES_MAX)
    const at = this.#take(bytes, what)
    const text = this.#bytes.toString('utf8', at, at + bytes)
    // Wrong bytes are read as U+FFFD, so only a text that holds one needs the exact look.
    if (text.includes('\ufffd') && !isUtf8(this.#bytes.subarray(at, at + bytes)))
      throw this.malformed(`${what} is not UTF-8`, at)
    return text
  }

  bytes(what: string): Buffer {
    const bytes = this.#length(what, BODY_BYTES_MAX)
    const at = this.#take(bytes, what)
    return this.#bytes.subarray(at, at + bytes)
  }

  #length(what: string, max: number): number {
    const at = this.#at
    const bytes = this.u32(`the length of ${what}`)
    if (bytes > max) throw this.malformed(`${what} of ${bytes} bytes, at most ${max}`, at)
    return bytes
  }

  /** Reads a list: a count, then so many items. */
  list<Item>(what: string, read: () => Item): Item[] {
    const at = this.#at
    const count = this.u32(`the count of ${what}`)
    // Every item has a byte or more, so a larger count can not be true.
    if (count > LIST_ITEMS_MAX || count > this.#bytes.length - this.#at)
      throw this.malformed(`${count} ${what} can not be there`, at)
    const items: Item[] = []
    for (let index = 0; index < count; index += 1) items.push(read())
    return items
  }

  /** Asserts to the sender that nothing follows. */
  finish(): void {
    const rest = this.#bytes.length - this.#at
    if (rest > 0) throw this.malformed(`${rest} bytes are left over`)
  }
}
