/**
 * The name and the first 64 bytes of a segment. Numbers are little-endian.
 *
 *     0       8         12           16     24             28         60         64
 *     | magic | version | generation | base | segmentBytes | reserved | checksum |
 *       u64     u32       u32          u64    u32            0 ...      u32
 *
 * The checksum covers the bytes before it.
 */
import { assert, type Position, position } from '@sagalog/kernel'
import { checksum } from './checksum.js'
import { readPosition, writePosition } from './record-format.js'

export const SEGMENT_HEADER_BYTES = 64
export const FORMAT_VERSION = 1
/** `SAGASEG1` */
const MAGIC = Buffer.from('SAGASEG1', 'latin1')
const CHECKSUM_AT = SEGMENT_HEADER_BYTES - 4
const SUFFIX = '.seg'

export interface SegmentHeader {
  readonly base: Position
  /** Counts the uses of the file; frames of an earlier use are never taken for this one's. */
  readonly generation: number
  readonly segmentBytes: number
}

/** A header, or why there is none. */
export type HeaderVerdict =
  | { readonly header: SegmentHeader }
  | { readonly fault: 'missing' | 'wrong' }
  | { readonly fault: 'newer'; readonly version: number }

export function segmentName(base: Position): string {
  return base.toString(16).padStart(16, '0') + SUFFIX
}

/** The base in a segment's name, or undefined when it is the name of something else. */
export function baseOfName(name: string): Position | undefined {
  if (!/^[0-9a-f]{16}\.seg$/.test(name)) return undefined
  const base = Number.parseInt(name.slice(0, 16), 16)
  return Number.isSafeInteger(base) ? position(base) : undefined
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  assert(header.base % header.segmentBytes === 0, 'a base is a multiple of the segment bytes')
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(FORMAT_VERSION, 8)
  bytes.writeUInt32LE(header.generation, 12)
  writePosition(bytes, 16, header.base)
  bytes.writeUInt32LE(header.segmentBytes, 24)
  bytes.writeUInt32LE(checksum(bytes, 0, CHECKSUM_AT), CHECKSUM_AT)
  return bytes
}

/** Judges the first bytes of a file. */
export function decodeSegmentHeader(bytes: Buffer): HeaderVerdict {
  if (bytes.length < SEGMENT_HEADER_BYTES) return { fault: 'missing' }
  const header = bytes.subarray(0, SEGMENT_HEADER_BYTES)
  if (header.every((byte) => byte === 0)) return { fault: 'missing' }
  if (!header.subarray(0, MAGIC.length).equals(MAGIC)) return { fault: 'wrong' }
  if (header.readUInt32LE(CHECKSUM_AT) !== checksum(header, 0, CHECKSUM_AT)) {
    return { fault: 'wrong' }
  }
  const version = header.readUInt32LE(8)
  if (version > FORMAT_VERSION) return { fault: 'newer', version }
  const base = readPosition(header, 16)
  const segmentBytes = header.readUInt32LE(24)
  if (!Number.isSafeInteger(base) || segmentBytes === 0 || base % segmentBytes !== 0) {
    return { fault: 'wrong' }
  }
  return {
    header: { base: position(base), generation: header.readUInt32LE(12), segmentBytes },
  }
}
