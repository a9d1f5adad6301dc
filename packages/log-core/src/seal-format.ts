/**
 * The seal: 64 bytes behind the positions of a closed segment, with a checksum over every byte of
 * the file before them. Numbers are little-endian.
 *
 *     0       8         12           16     24    32         40       44        48
 *     | magic | version | generation | base | end | closedMs | frames | records | contents |
 *       u64     u32       u32          u64    u64   u64        u32      u32       u32
 *     52      56         60         64
 *     | epoch | reserved | checksum |
 *       u32     u32, 0     u32
 *
 * `contents` is the checksum over the whole file up to the seal, used or not; `checksum` covers the
 * bytes of the seal before it. A seal is written once the next segment has a durable frame, so it
 * also says that there is a next segment.
 */
import { position, type Position } from '@sagalog/kernel'
import { checksum } from './checksum.js'
import { readPosition, writePosition } from './record-format.js'
import type { SegmentHeader } from './segment-format.js'

export const SEAL_BYTES = 64
const SEAL_VERSION = 1
/** `SAGASEAL` */
const MAGIC = Buffer.from('SAGASEAL', 'latin1')
const CHECKSUM_AT = SEAL_BYTES - 4

export interface Seal {
  /** Where the frames of the segment end. */
  readonly end: Position
  /** Wall clock when the segment was found closed, in milliseconds since 1970. */
  readonly closedMs: number
  readonly frames: number
  readonly records: number
  /** The checksum over the file before the seal. */
  readonly contents: number
  /** Of the last frame. */
  readonly epoch: number
}

export function encodeSeal(header: SegmentHeader, seal: Seal): Buffer {
  const bytes = Buffer.alloc(SEAL_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32LE(SEAL_VERSION, 8)
  bytes.writeUInt32LE(header.generation, 12)
  writePosition(bytes, 16, header.base)
  writePosition(bytes, 24, seal.end)
  writePosition(bytes, 32, Math.max(0, Math.floor(seal.closedMs)))
  bytes.writeUInt32LE(seal.frames, 40)
  bytes.writeUInt32LE(seal.records, 44)
  bytes.writeUInt32LE(seal.contents, 48)
  bytes.writeUInt32LE(seal.epoch, 52)
  bytes.writeUInt32LE(checksum(bytes, 0, CHECKSUM_AT), CHECKSUM_AT)
  return bytes
}

/** The seal in `bytes`, or undefined when they are not one of this use of this segment. */
export function decodeSeal(header: SegmentHeader, bytes: Buffer): Seal | undefined {
  if (bytes.length < SEAL_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined
  if (bytes.readUInt32LE(CHECKSUM_AT) !== checksum(bytes, 0, CHECKSUM_AT)) return undefined
  if (bytes.readUInt32LE(8) !== SEAL_VERSION) return undefined
  if (bytes.readUInt32LE(12) !== header.generation) return undefined
  if (readPosition(bytes, 16) !== header.base) return undefined
  const [end, closedMs] = [readPosition(bytes, 24), readPosition(bytes, 32)]
  const isInside = end >= header.base && end <= header.base + header.segmentBytes
  if (!isInside || !Number.isSafeInteger(closedMs)) return undefined
  return {
    end: position(end),
    closedMs,
    frames: bytes.readUInt32LE(40),
    records: bytes.readUInt32LE(44),
    contents: bytes.readUInt32LE(48),
    epoch: bytes.readUInt32LE(52),
  }
}
