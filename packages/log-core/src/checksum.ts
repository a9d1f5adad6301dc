/**
 * CRC-32 as zlib computes it, in two ways that give the same value: tables of our own for short
 * spans, where a native call costs more than the work, and zlib for long ones. A checksum may be
 * continued: what one call gives is the `seed` of the next.
 */
import { crc32 } from 'node:zlib'

/** From here on the native call is the cheaper way. */
export const NATIVE_FROM_BYTES = 512

function makeTable(before: Uint32Array | undefined, first: Uint32Array): Uint32Array {
  const table = new Uint32Array(256)
  for (let byte = 0; byte < 256; byte += 1) {
    if (before === undefined) {
      let value = byte
      for (let bit = 0; bit < 8; bit += 1) {
        value = value & 1 ? 0xedb8_8320 ^ (value >>> 1) : value >>> 1
      }
      table[byte] = value
    } else {
      const value = before[byte] ?? 0
      table[byte] = (first[value & 0xff] ?? 0) ^ (value >>> 8)
    }
  }
  return table
}

const T0 = makeTable(undefined, new Uint32Array(256))
const T1 = makeTable(T0, T0)
const T2 = makeTable(T1, T0)
const T3 = makeTable(T2, T0)
const T4 = makeTable(T3, T0)
const T5 = makeTable(T4, T0)
const T6 = makeTable(T5, T0)
const T7 = makeTable(T6, T0)

/** Eight bytes, given as two little-endian words, on the inner (inverted) state. */
function step(low: number, high: number): number {
  return (
    (T7[low & 0xff] ?? 0) ^
    (T6[(low >>> 8) & 0xff] ?? 0) ^
    (T5[(low >>> 16) & 0xff] ?? 0) ^
    (T4[low >>> 24] ?? 0) ^
    (T3[high & 0xff] ?? 0) ^
    (T2[(high >>> 8) & 0xff] ?? 0) ^
    (T1[(high >>> 16) & 0xff] ?? 0) ^
    (T0[high >>> 24] ?? 0)
  )
}

/** Continues a checksum over the four bytes of a little-endian word. */
export function checksumWord(seed: number, word: number): number {
  const state = ~seed ^ word
  const next =
    (T3[state & 0xff] ?? 0) ^
    (T2[(state >>> 8) & 0xff] ?? 0) ^
    (T1[(state >>> 16) & 0xff] ?? 0) ^
    (T0[state >>> 24] ?? 0)
  return ~next >>> 0
}

/** Continues a checksum over the eight bytes of two little-endian words. */
export function checksumWords(seed: number, low: number, high: number): number {
  return ~step(~seed ^ low, high) >>> 0
}

/** Continues a checksum over `bytes[start, end)`. */
export function checksum(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  if (end - start >= NATIVE_FROM_BYTES) return crc32(bytes.subarray(start, end), seed)
  let state = ~seed
  let at = start
  for (; at + 8 <= end; at += 8) {
    const low =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24)
    const high =
      (bytes[at + 4] ?? 0) |
      ((bytes[at + 5] ?? 0) << 8) |
      ((bytes[at + 6] ?? 0) << 16) |
      ((bytes[at + 7] ?? 0) << 24)
    state = step(state ^ low, high)
  }
  for (; at < end; at += 1) state = (T0[(state ^ (bytes[at] ?? 0)) & 0xff] ?? 0) ^ (state >>> 8)
  return ~state >>> 0
}
