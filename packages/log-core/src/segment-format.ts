/**
 * The name and the first 64 bytes of a segment. Numbers are little-endian.
 *
 *     0       8         12           16     24             28         60         64
 *     | magic | version | generation | base | segmentBytes | reserved | checksum |
 *       u64     u32       u32          u64    u32            0 ...      u32
 *
 * The checksum covers the bytes before it. Version 1 is a segment as it was first written. Version
 * 2 is a rewritten one, which uses reserved bytes:
 *
 *     28           32     36              40    48      52          60
 *     | tablePlace | runs | tableChecksum | end | epoch | endBefore | checksum |
 *       u32          u32    u32             u64   u32     u64         u32
 */
import { assert, type Position, position } from '@sagalog/kernel'
import { checksum } from './checksum.js'
import { readPosition, writePosition } from './record-format.js'

export const SEGMENT_HEADER_BYTES = 64
/** The newest that is read. */
export const FORMAT_VERSION = 2
const VERSION_WRITTEN_ONCE = 1
const VERSION_REWRITTEN = 2
/** `SAGASEG1` */
const MAGIC = Buffer.from('SAGASEG1', 'latin1')
const CHECKSUM_AT = SEGMENT_HEADER_BYTES - 4
const SUFFIX = '.seg'
/** A segment that is being rewritten, until it takes the place of the old one. */
export const REWRITE_SUFFIX = '.seg.tmp'
/** The file of a retired segment that waits for its next use; named by the base of the last one. */
export const SPARE_SUFFIX = '.free'

export interface SegmentHeader {
  readonly base: Position
  /** Counts the uses of the file; frames of an earlier use are never taken for this one's. */
  readonly generation: number
  readonly segmentBytes: number
  /** Only of a segment that was rewritten with what must stay. */
  readonly rewritten?: RewrittenHeader
}

export interface RewrittenHeader {
  /** Where the table of runs stands in the file. */
  readonly tablePlace: number
  readonly runs: number
  /** Over the table. */
  readonly tableChecksum: number
  /** Where the frames ended when the segment was first written. */
  readonly end: Position
  /** Of its last frame. */
  readonly epoch: number
  /** Where the frames of the segment before ended: what its first frame knew to be durable. */
  readonly endBefore: number
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
  const { rewritten } = header
  bytes.writeUInt32LE(rewritten === undefined ? VERSION_WRITTEN_ONCE : VERSION_REWRITTEN, 8)
  bytes.writeUInt32LE(header.generation, 12)
  writePosition(bytes, 16, header.base)
  bytes.writeUInt32LE(header.segmentBytes, 24)
  if (rewritten !== undefined) {
    bytes.writeUInt32LE(rewritten.tablePlace, 28)
    bytes.writeUInt32LE(rewritten.runs, 32)
    bytes.writeUInt32LE(rewritten.tableChecksum, 36)
    writePosition(bytes, 40, rewritten.end)
    bytes.writeUInt32LE(rewritten.epoch, 48)
    writePosition(bytes, 52, rewritten.endBefore)
  }
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
  const plain = { base: position(base), generation: header.readUInt32LE(12), segmentBytes }
  if (version === VERSION_WRITTEN_ONCE) return { header: plain }
  const end = readPosition(header, 40)
  if (end < base || end > base + segmentBytes) return { fault: 'wrong' }
  const rewritten = {
    tablePlace: header.readUInt32LE(28),
    runs: header.readUInt32LE(32),
    tableChecksum: header.readUInt32LE(36),
    end: position(end),
    epoch: header.readUInt32LE(48),
    endBefore: readPosition(header, 52),
  }
  return { header: { ...plain, rewritten } }
}
