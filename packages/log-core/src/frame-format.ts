/**
 * The bytes of one frame: one commit, all or nothing. Numbers are little-endian, frames start at
 * multiples of 8 bytes.
 *
 *   0       4       8          12      16           20      24         32          40
 *   | magic | bytes | checksum | count | generation | epoch | position | watermark | records | 0..
 *     u32     u32     u32        u32     u32          u32     u64        u64
 *
 * `bytes` is the whole frame, a multiple of 8; what is left after the records is zero. The checksum
 * covers the checksums of the records in order, then the header without the checksum itself. The
 * watermark and the checksum are written when the write of the frame starts; until then the place
 * of the checksum holds the part over all before the watermark, which comes last.
 *
 * The epoch counts the openings of the log and never goes down from frame to frame: what an earlier
 * opening left behind a cut, on a disk that lied about zeros, can't join with newer frames.
 */
import { assert, type Draft } from '@sagalog/kernel'
import { viewOf } from './byte-view.js'
import { checksumQuad, checksumWord, checksumWords } from './checksum.js'
import { FRAME_ALIGN_BYTES } from './limits.js'
import {
  highWord,
  isRecordValid,
  readPosition,
  RECORD_HEADER_BYTES,
  recordChecksum,
  recordLength,
} from './record-format.js'

export const FRAME_HEADER_BYTES = 40
/** `SGF1` */
export const FRAME_MAGIC = 0x3146_4753

export const alignUp = (bytes: number): number =>
  Math.ceil(bytes / FRAME_ALIGN_BYTES) * FRAME_ALIGN_BYTES

/** Bytes of the frame that would hold the drafts. */
export function frameBytesOf(drafts: readonly Draft[]): number {
  let bytes = FRAME_HEADER_BYTES
  for (const draft of drafts) bytes += RECORD_HEADER_BYTES + draft.bytes
  return alignUp(bytes)
}

export interface FrameFields {
  readonly bytes: number
  readonly count: number
  readonly generation: number
  readonly epoch: number
  readonly position: number
  /** Of the checksums of the records, in order. */
  readonly recordsChecksum: number
}

/** Writes the header as far as it is known when the frame gets its place. */
export function writeFrameHeader(target: Buffer, at: number, fields: FrameFields): void {
  assert(fields.bytes % FRAME_ALIGN_BYTES === 0, 'a frame is made of whole alignments')
  const view = viewOf(target)
  view.setUint32(at, FRAME_MAGIC, true)
  view.setUint32(at + 4, fields.bytes, true)
  view.setUint32(at + 12, fields.count, true)
  view.setUint32(at + 16, fields.generation, true)
  view.setUint32(at + 20, fields.epoch, true)
  view.setUint32(at + 24, fields.position >>> 0, true)
  view.setUint32(at + 28, highWord(fields.position), true)
  view.setUint32(at + 32, 0, true)
  view.setUint32(at + 36, 0, true)
  view.setUint32(at + 8, checksumBeforeWatermark(view, at, fields.recordsChecksum), true)
}

function checksumBeforeWatermark(view: DataView, at: number, recordsChecksum: number): number {
  const word = (from: number): number => view.getInt32(at + from, true)
  const sum = checksumQuad(recordsChecksum, word(0), word(4), word(12), word(16))
  return checksumWord(checksumWords(sum, word(20), word(24)), word(28))
}

/** The checksum that the frame at index `at` should carry. */
function checksumOver(source: Buffer, at: number, recordsChecksum: number): number {
  const view = viewOf(source)
  const sum = checksumBeforeWatermark(view, at, recordsChecksum)
  return checksumWords(sum, view.getInt32(at + 32, true), view.getInt32(at + 36, true))
}

/** Finishes a frame when its write starts: the watermark of this moment, and the checksum. */
export function sealFrame(target: Buffer, at: number, watermark: number): void {
  const view = viewOf(target)
  const [low, high] = [watermark >>> 0, highWord(watermark)]
  view.setUint32(at + 32, low, true)
  view.setUint32(at + 36, high, true)
  view.setUint32(at + 8, checksumWords(view.getUint32(at + 8, true), low, high), true)
}

export const frameBytes = (source: Buffer, at: number): number =>
  viewOf(source).getUint32(at + 4, true)
export const frameCount = (source: Buffer, at: number): number =>
  viewOf(source).getUint32(at + 12, true)
export const frameGeneration = (source: Buffer, at: number): number =>
  viewOf(source).getUint32(at + 16, true)
export const frameEpoch = (source: Buffer, at: number): number =>
  viewOf(source).getUint32(at + 20, true)
export const framePosition = (source: Buffer, at: number): number => readPosition(source, at + 24)
export const frameWatermark = (source: Buffer, at: number): number => readPosition(source, at + 32)
export const isFrameMagic = (source: Buffer, at: number): boolean =>
  viewOf(source).getUint32(at, true) === FRAME_MAGIC

/** What stands at a place: a frame, nothing, the beginning of more, or why it is no frame. */
export type FrameVerdict = 'valid' | 'blank' | 'incomplete' | FrameFault
export type FrameFault =
  | 'no frame begins here'
  | 'the frame has a wrong length'
  | 'the frame belongs to an earlier use of the file'
  | 'the frame belongs to an earlier opening'
  | 'the frame belongs to another position'
  | 'the frame checksum is wrong'
  | 'a record checksum is wrong'
  | 'the padding is not zero'
  | 'the watermark is impossible'

export interface FrameExpectation {
  readonly generation: number
  /** The epoch of the frame before it, or 0 when that is not known. */
  readonly epochMin: number
  readonly position: number
  /** The longest frame that can stand here. */
  readonly bytesMax: number
  /** Leaves the bodies unchecked when false; the frame's own checksum is always checked. */
  readonly withBodies: boolean
}

/** Judges the frame at index `at` of `source`, whose bytes end at `limit`. */
export function judgeFrame(
  source: Buffer,
  at: number,
  limit: number,
  expected: FrameExpectation,
): FrameVerdict {
  if (limit - at < FRAME_HEADER_BYTES) return 'incomplete'
  if (!isFrameMagic(source, at)) {
    for (let index = at; index < at + FRAME_HEADER_BYTES; index += 1) {
      if (source[index] !== 0) return 'no frame begins here'
    }
    return 'blank'
  }
  const bytes = frameBytes(source, at)
  const count = frameCount(source, at)
  const isLengthPossible =
    bytes % FRAME_ALIGN_BYTES === 0 &&
    bytes >= FRAME_HEADER_BYTES + count * RECORD_HEADER_BYTES &&
    bytes <= expected.bytesMax
  if (!isLengthPossible) return 'the frame has a wrong length'
  if (limit - at < bytes) return 'incomplete'
  if (source.readUInt32LE(at + 16) !== expected.generation) {
    return 'the frame belongs to an earlier use of the file'
  }
  if (framePosition(source, at) !== expected.position) {
    return 'the frame belongs to another position'
  }
  return judgeRecords(source, at, bytes, expected)
}

function judgeRecords(
  source: Buffer,
  at: number,
  bytes: number,
  expected: FrameExpectation,
): FrameVerdict {
  const end = at + bytes
  const count = frameCount(source, at)
  let cursor = at + FRAME_HEADER_BYTES
  let sums = 0
  for (let index = 0; index < count; index += 1) {
    if (cursor + RECORD_HEADER_BYTES > end) return 'the frame has a wrong length'
    const next = cursor + RECORD_HEADER_BYTES + recordLength(source, cursor)
    if (next > end) return 'the frame has a wrong length'
    const position = expected.position + (cursor - at)
    if (expected.withBodies && !isRecordValid(source, cursor, end, position)) {
      return 'a record checksum is wrong'
    }
    sums = checksumWord(sums, recordChecksum(source, cursor))
    cursor = next
  }
  if (end - cursor >= FRAME_ALIGN_BYTES) return 'the frame has a wrong length'
  if (source.readUInt32LE(at + 8) !== checksumOver(source, at, sums)) {
    return 'the frame checksum is wrong'
  }
  for (; cursor < end; cursor += 1) if (source[cursor] !== 0) return 'the padding is not zero'
  if (frameEpoch(source, at) < expected.epochMin) return 'the frame belongs to an earlier opening'
  // What was durable when a write started ends before the write.
  if (frameWatermark(source, at) > expected.position) return 'the watermark is impossible'
  return 'valid'
}
