/**
 * CRC-32 as zlib computes it, in two ways that give the same value: tables of our own for short
 * spans, where a native call costs more than the work, and zlib for long ones. A checksum may be
 * continued: what one call gives is the `seed` of the next.
 */
import { crc32 } from 'node:zlib'
import { viewOf } from './byte-view.js'

/** From here on the native call is the cheaper way. */
export const NATIVE_FROM_BYTES = 768

/** Bytes that one step takes: sixteen tables, each one byte further from the end of the span. */
const SLICES = 16

function makeTables(): Int32Array {
  const tables = new Int32Array(SLICES * 256)
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte
    for (let bit = 0; bit < 8; bit += 1) {
      value = value & 1 ? 0xedb8_8320 ^ (value >>> 1) : value >>> 1
    }
    tables[byte] = value
  }
  for (let index = 256; index < tables.length; index += 1) {
    const value = tables[index - 256] ?? 0
    tables[index] = (tables[value & 0xff] ?? 0) ^ (value >>> 8)
  }
  return tables
}

const T = makeTables()

/** The part of a little-endian word whose last byte is `slice` bytes from the end of the span. */
function part(word: number, slice: number): number {
  return (
    (T[((slice + 3) << 8) | (word & 0xff)] ?? 0) ^
    (T[((slice + 2) << 8) | ((word >>> 8) & 0xff)] ?? 0) ^
    (T[((slice + 1) << 8) | ((word >>> 16) & 0xff)] ?? 0) ^
    (T[(slice << 8) | (word >>> 24)] ?? 0)
  )
}

/** Continues a checksum over the four bytes of a little-endian word. */
export function checksumWord(seed: number, word: number): number {
  return ~part(~seed ^ word, 0) >>> 0
}

/** Continues a checksum over the eight bytes of two little-endian words. */
export function checksumWords(seed: number, low: number, high: number): number {
  return ~(part(~seed ^ low, 4) ^ part(high, 0)) >>> 0
}

/** Continues a checksum over the sixteen bytes of four little-endian words. */
export function checksumQuad(seed: number, a: number, b: number, c: number, d: number): number {
  return ~(part(~seed ^ a, 12) ^ part(b, 8) ^ part(c, 4) ^ part(d, 0)) >>> 0
}

/** Continues a checksum over `bytes[start, end)`. */
export function checksum(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  if (end - start >= NATIVE_FROM_BYTES) {
    // Cheaper than `subarray`, which makes a whole Buffer.
    return crc32(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start), seed)
  }
  const view = viewOf(bytes)
  let state = ~seed
  let at = start
  for (; at + SLICES <= end; at += SLICES) {
    state =
      part(state ^ view.getInt32(at, true), 12) ^
      part(view.getInt32(at + 4, true), 8) ^
      part(view.getInt32(at + 8, true), 4) ^
      part(view.getInt32(at + 12, true), 0)
  }
  for (; at + 4 <= end; at += 4) state = part(state ^ view.getInt32(at, true), 0)
  for (; at < end; at += 1) state = (T[(state ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (state >>> 8)
  return ~state >>> 0
}
