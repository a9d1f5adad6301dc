/**
 * Reads the fields of a binary header where they stand, one after the other, making no text of what
 * is a number and no map of all of them. It is a fast way only: whatever is not as our own clients
 * and most others write it gives `undefined` or NaN, and then the header is read once more by
 * `readBinaryHeader`, which knows what is wrong with it.
 */
import { noBody } from './request-codec.js'

/** A header with more of them is nothing for the fast way. */
const FIELDS_MAX = 32
/** Names of topics and groups come again and again; longer texts hardly do. */
const KEPT_CHARS_MAX = 64
const KEPT_TEXTS = 1_024
const ZERO = 0x30
/** More digits may be no safe integer. */
const DIGITS_MAX = 15

const kept: string[] = Array.from({ length: KEPT_TEXTS }, () => '')

export class FieldReader {
  #source: Buffer = noBody
  #at = 0
  #end = 0
  #left = 0
  #nameAt = 0
  #nameBytes = 0
  #valueAt = 0
  #valueEnd = 0

  begin(source: Buffer, at: number, end: number): void {
    this.#source = source
    this.#at = at
    this.#end = end
    this.#left = FIELDS_MAX
  }

  /** Goes to the next field; false at the end, and where `isAtEnd` then says no, at a bad one. */
  next(): boolean {
    const source = this.#source
    const end = this.#end
    const at = this.#at
    if (at + 6 > end || this.#left === 0) return false
    this.#left -= 1
    const nameBytes = ((source[at] as number) << 8) | (source[at + 1] as number)
    const valueAt = at + 6 + nameBytes
    if (valueAt > end) return false
    const valueBytes = source.readInt32BE(valueAt - 4)
    if (valueBytes < 0 || valueBytes > end - valueAt) return false
    this.#nameAt = at + 2
    this.#nameBytes = nameBytes
    this.#valueAt = valueAt
    this.#valueEnd = valueAt + valueBytes
    this.#at = this.#valueEnd
    return true
  }

  get isAtEnd(): boolean {
    return this.#at === this.#end
  }

  /** The character that the name is, or 0 when it is longer. */
  get letter(): number {
    return this.#nameBytes === 1 ? (this.#source[this.#nameAt] as number) : 0
  }

  isName(name: string): boolean {
    if (name.length !== this.#nameBytes) return false
    const source = this.#source
    const at = this.#nameAt
    for (let index = 0; index < name.length; index += 1)
      if (source[at + index] !== name.charCodeAt(index)) return false
    return true
  }

  /** The value as a whole number of at most 15 digits; NaN for anything else. */
  whole(): number {
    const source = this.#source
    const end = this.#valueEnd
    const isNegative = source[this.#valueAt] === 0x2d && this.#valueAt < end
    let at = isNegative ? this.#valueAt + 1 : this.#valueAt
    if (at === end || end - at > DIGITS_MAX) return Number.NaN
    let value = 0
    for (; at < end; at += 1) {
      const digit = (source[at] as number) - ZERO
      if (digit < 0 || digit > 9) return Number.NaN
      value = value * 10 + digit
    }
    // The text of minus zero is the number 0 with a sign, which nobody writes.
    if (isNegative) return value === 0 ? Number.NaN : -value
    return value
  }

  /** The value as text; undefined when it is not ASCII. */
  text(): string | undefined {
    const source = this.#source
    const at = this.#valueAt
    const end = this.#valueEnd
    let hash = end - at
    for (let index = at; index < end; index += 1) {
      const byte = source[index] as number
      if (byte > 0x7f) return undefined
      hash = (Math.imul(hash, 31) + byte) | 0
    }
    if (end - at > KEPT_CHARS_MAX) return source.toString('latin1', at, end)
    return keptText(source, at, end, hash)
  }

  /** The same for a text that is different each time. */
  newText(): string | undefined {
    const source = this.#source
    const end = this.#valueEnd
    for (let index = this.#valueAt; index < end; index += 1)
      if ((source[index] as number) > 0x7f) return undefined
    return source.toString('latin1', this.#valueAt, end)
  }
}

/** A text of the same bytes that was read before, or a new one that takes its place. */
function keptText(source: Buffer, at: number, end: number, hash: number): string {
  const slot = (hash ^ (hash >>> 10)) & (KEPT_TEXTS - 1)
  const known = kept[slot] as string
  if (isSame(known, source, at, end)) return known
  const text = source.toString('latin1', at, end)
  kept[slot] = text
  return text
}

function isSame(text: string, source: Buffer, at: number, end: number): boolean {
  if (text.length !== end - at) return false
  for (let index = 0; index < text.length; index += 1)
    if (text.charCodeAt(index) !== source[at + index]) return false
  return true
}
