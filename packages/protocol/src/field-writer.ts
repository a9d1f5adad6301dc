/**
 * Writes the fields of a binary header in place, one behind the other. The bytes are those that
 * `writeBinaryHeader` makes of a map with the same fields in the same order; only the map, and
 * most of the texts, are never made. Whoever uses it has made room for all of it.
 */
import { assert } from '@sagalog/kernel'
import { noBody } from './request-codec.js'
import { writeText } from './short-text.js'

/** Of one field with a whole number: two lengths and the digits. The name comes on top. */
const WHOLE_BYTES_MAX = 2 + 4 + 17
const TEXT_LENGTHS_BYTES = 2 + 4
const UTF8_BYTES_MAX = 3

/** An upper bound of what `text` takes. */
export const textFieldBytesMax = (name: string, value: string): number =>
  TEXT_LENGTHS_BYTES + name.length + UTF8_BYTES_MAX * value.length

/** An upper bound of what `whole` takes. */
export const wholeFieldBytesMax = (name: string): number => WHOLE_BYTES_MAX + name.length

export class FieldWriter {
  #target: Buffer = noBody
  #at = 0

  begin(target: Buffer, at: number): void {
    this.#target = target
    this.#at = at
  }

  /** The index after the last field. */
  end(): number {
    const at = this.#at
    this.#target = noBody
    return at
  }

  /** The name is ASCII. */
  text(name: string, value: string): void {
    const at = this.#name(name)
    const bytes = writeText(this.#target, value, at + 4)
    this.#length(at, bytes)
    this.#at = at + 4 + bytes
  }

  /** A safe integer, as decimal text. */
  whole(name: string, value: number): void {
    const at = this.#name(name)
    const bytes = writeWhole(this.#target, value, at + 4)
    this.#length(at, bytes)
    this.#at = at + 4 + bytes
  }

  #name(name: string): number {
    const target = this.#target
    const at = this.#at
    target[at] = 0
    target[at + 1] = name.length
    for (let index = 0; index < name.length; index += 1)
      target[at + 2 + index] = name.charCodeAt(index)
    return at + 2 + name.length
  }

  #length(at: number, bytes: number): void {
    const target = this.#target
    target[at] = bytes >>> 24
    target[at + 1] = bytes >>> 16
    target[at + 2] = bytes >>> 8
    target[at + 3] = bytes
  }
}

const MINUS = 0x2d
const ZERO = 0x30

/** Writes the digits from the last one on; gives how many bytes they take. */
function writeWhole(target: Buffer, value: number, at: number): number {
  assert(Number.isSafeInteger(value), 'the value of the field is a whole number')
  const start = value < 0 ? at + 1 : at
  if (value < 0) target[at] = MINUS
  let rest = Math.abs(value)
  let digits = 1
  for (let bound = 10; rest >= bound; bound *= 10) digits += 1
  // Numbers of nine digits are divided as int32, which is several times faster.
  let index = start + digits - 1
  while (rest >= 1e9) {
    const high = Math.floor(rest / 10)
    target[index] = ZERO + (rest - high * 10)
    index -= 1
    rest = high
  }
  let small = rest | 0
  for (; index >= start; index -= 1) {
    const high = (small / 10) | 0
    target[index] = ZERO + (small - high * 10)
    small = high
  }
  return start - at + digits
}
