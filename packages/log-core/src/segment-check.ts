/**
 * Verifies one closed segment as it stands in its file, byte by byte: the header, each frame and
 * each record in it, zeros where nothing was written, and the checksum over all of it. It works in
 * slices, decides nothing and changes nothing.
 */
import { position, type Position } from '@sagalog/kernel'
import { checksum } from './checksum.js'
import { frameCursor, judgeLoading } from './frame-cursor.js'
import { frameCount, frameEpoch } from './frame-format.js'
import { CHECK_SLICE_BYTES } from './limits.js'
import type { Pace } from './pace.js'
import { RUN_BYTES } from './places.js'
import { nextFrameAfter } from './resync.js'
import { decodeSeal, encodeSeal, SEAL_BYTES } from './seal-format.js'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-format.js'
import { type DamagedRange, placeOfEnd, readFully, type Segment } from './segment.js'

/** What a walk over a segment found. */
export interface CheckedSegment {
  readonly frames: number
  readonly records: number
  /** Of the last frame. */
  readonly epoch: number
  /** The first thing that is not as it was written. */
  readonly damage: DamagedRange | undefined
}

/** The checksum over the file up to its seal; undefined once the pace was stopped. */
export async function contentsOf(segment: Segment, pace: Pace): Promise<number | undefined> {
  const { file, places } = segment
  let sum = 0
  for (let place = 0; place < places.fileBytes;) {
    const block = Buffer.allocUnsafe(Math.min(CHECK_SLICE_BYTES, places.fileBytes - place))
    const got = await readFully(file, block, place)
    // What a file that was cut short no longer has counts as zeros; frames tell them from data.
    block.fill(0, got)
    sum = checksum(block, 0, block.length, sum)
    place += block.length
    if (!(await pace.spent(block.length))) return undefined
  }
  return sum
}

/** True when the seal that the log knows stands in the file. */
export async function isSealIntact(segment: Segment): Promise<boolean> {
  const { seal, file, places } = segment
  const bytes = Buffer.alloc(SEAL_BYTES)
  const got = await readFully(file, bytes, places.fileBytes)
  if (seal === undefined || decodeSeal(segment, bytes.subarray(0, got)) === undefined) return false
  return encodeSeal(segment, seal).equals(bytes)
}

/**
 * Walks a segment whose frames end at `end`; with `isClosed` also what stands behind them.
 * Undefined once the pace was stopped.
 */
export async function checkSegment(
  segment: Segment,
  end: Position,
  pace: Pace,
  isClosed: boolean,
): Promise<CheckedSegment | undefined> {
  const { places, path } = segment
  let [frames, records, epoch] = [0, 0, 0]
  let damage = await checkHeader(segment)
  const cursor = frameCursor(segment, true)
  let seen = cursor.block
  let next = places.nextFrom(segment.first)
  while (damage === undefined && next !== undefined && next < end) {
    if (next !== cursor.position) cursor.seek(next)
    const verdict = await judgeLoading(cursor)
    if (cursor.block !== seen) {
      seen = cursor.block
      if (!(await pace.spent(seen.length))) return undefined
    }
    if (verdict !== 'valid') {
      const reason = verdict === 'blank' ? 'a frame is missing' : verdict
      damage = { file: path, from: next, to: await nextFrameAfter(segment, next, end), reason }
      break
    }
    frames += 1
    records += frameCount(cursor.block, cursor.at)
    epoch = frameEpoch(cursor.block, cursor.at)
    cursor.step()
    next = places.nextFrom(cursor.position)
  }
  if (damage === undefined && isClosed) damage = await checkBehindFrames(segment, end)
  return { frames, records, epoch, damage }
}

async function checkHeader(segment: Segment): Promise<DamagedRange | undefined> {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  await readFully(segment.file, bytes, 0)
  if (bytes.equals(encodeSegmentHeader(segment))) return undefined
  const { path, base, first } = segment
  return { file: path, from: base, to: first, reason: 'the segment header is wrong' }
}

/** Zeros up to the seal; in a rewritten segment the table. */
async function checkBehindFrames(
  segment: Segment,
  end: Position,
): Promise<DamagedRange | undefined> {
  const { file, path, places, rewritten, base, segmentBytes } = segment
  const to = position(base + segmentBytes)
  if (rewritten !== undefined) {
    const table = Buffer.alloc(rewritten.runs * RUN_BYTES)
    await readFully(file, table, rewritten.tablePlace)
    if (checksum(table, 0, table.length) === rewritten.tableChecksum) return undefined
    return { file: path, from: base, to, reason: 'the table of places is damaged' }
  }
  for (let place = placeOfEnd(segment, end); place < places.fileBytes; place += CHECK_SLICE_BYTES) {
    const block = Buffer.alloc(Math.min(CHECK_SLICE_BYTES, places.fileBytes - place))
    await readFully(file, block, place)
    const used = block.findIndex((byte) => byte !== 0)
    if (used < 0) continue
    const from = position(Math.min(to, end + (place + used - placeOfEnd(segment, end))))
    return { file: path, from, to, reason: 'the unused end of the segment is not zero' }
  }
  return undefined
}
