/**
 * The bytes of one record. Numbers are little-endian.
 *
 *     0        4          8      9         10         12
 *     | length | checksum | kind | version | reserved | body ... |
 *       u32      u32        u8     u8        u16, 0     length bytes
 *
 * The checksum covers the record's position (u64), the length and everything after the checksum,
 * never the frame: a record can be verified alone, wherever its bytes were found, and a record that
 * was written to a wrong place does not verify.
 */
import { type LogRecord, type Position, RECORD_KINDS, recordKindOf } from '@sagalog/kernel'
import { viewOf } from './byte-view.js'
import { checksum, checksumQuad } from './checksum.js'
import { LogError } from './errors.js'

export const RECORD_HEADER_BYTES = 12

/** Splits a number above 32 bits; a position is a safe integer, so both halves are exact. */
export const highWord = (value: number): number => Math.floor(value / 0x1_0000_0000)

export function writePosition(target: Buffer, at: number, value: number): void {
  const view = viewOf(target)
  view.setUint32(at, value >>> 0, true)
  view.setUint32(at + 4, highWord(value), true)
}

/** A position, or a number that is no safe integer when the bytes are not one. */
export function readPosition(source: Buffer, at: number): number {
  const view = viewOf(source)
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 0x1_0000_0000
}

export const recordLength = (source: Buffer, at: number): number =>
  viewOf(source).getUint32(at, true)

/** The checksum that the record at index `at` should carry. */
function checksumOf(source: Buffer, at: number, length: number, position: number): number {
  const kind = viewOf(source).getInt32(at + 8, true)
  const seed = checksumQuad(0, position >>> 0, highWord(position), length, kind)
  const start = at + RECORD_HEADER_BYTES
  return checksum(source, start, start + length, seed)
}

/**
 * Writes the header of a record whose body stands already behind it, and gives the checksum.
 */
export function sealRecord(
  target: Buffer,
  at: number,
  record: { code: number; version: number; length: number; position: number },
): number {
  const view = viewOf(target)
  view.setUint32(at, record.length, true)
  view.setUint32(at + 8, record.code | (record.version << 8), true)
  const sum = checksumOf(target, at, record.length, record.position)
  view.setUint32(at + 4, sum, true)
  return sum
}

/** The checksum that the record at index `at` carries. */
export const recordChecksum = (source: Buffer, at: number): number =>
  viewOf(source).getUint32(at + 4, true)

/** True when all bytes of the record are before `limit` and its checksum is right. */
export function isRecordValid(
  source: Buffer,
  at: number,
  limit: number,
  position: number,
): boolean {
  if (at + RECORD_HEADER_BYTES > limit) return false
  const length = recordLength(source, at)
  if (at + RECORD_HEADER_BYTES + length > limit) return false
  return recordChecksum(source, at) === checksumOf(source, at, length, position)
}

/** The view of a record that was verified. Throws FORMAT_UNSUPPORTED for what is newer than we. */
export function recordView(
  source: Buffer,
  at: number,
  position: Position,
  file: string,
): LogRecord {
  const code = source[at + 8] ?? 0
  const version = source[at + 9] ?? 0
  const kind = recordKindOf(code)
  if (kind === undefined) {
    throw new LogError('FORMAT_UNSUPPORTED', { file, what: 'record kind', found: code, known: 39 })
  }
  const known = RECORD_KINDS[kind].version
  if (version > known) {
    const what = `a ${kind} record of version`
    throw new LogError('FORMAT_UNSUPPORTED', { file, what, found: version, known })
  }
  const start = at + RECORD_HEADER_BYTES
  return { kind, version, position, source, start, end: start + recordLength(source, at) }
}
