/**
 * Walks a segment's file from its first frame and verifies every byte of every frame, for those who
 * look at a log from outside. Unlike recovery it goes on behind a place that does not verify, at
 * the next frame that does, so that all damage is told at once. It decides nothing: whether a gap
 * is damage or a torn tail is said by the watermarks, and by the caller.
 *
 * The owner may be writing. A frame that was half there when its block was read is read once more
 * before it counts as a gap; what was ever durable is whole then.
 */
import { position, type Position } from '@sagalog/kernel'
import { type FrameCursor, frameCursor, judgeLoading } from './frame-cursor.js'
import { type FrameVerdict, frameCount, frameEpoch, frameWatermark } from './frame-format.js'
import { isFrameMagic } from './frame-format.js'
import { FRAME_ALIGN_BYTES, READ_BLOCK_BYTES } from './limits.js'
import { readFully, type Segment } from './segment.js'

export interface FrameVisitor {
  /** A frame that verified; its bytes stay as they are. */
  readonly frame?: (block: Buffer, at: number, position: Position) => void
  /** Called before each read with the position reached; false ends the walk. */
  readonly pause?: (reached: Position) => Promise<boolean>
}

export interface Gap {
  readonly from: Position
  /** The next frame that verifies. */
  readonly to: Position
  readonly reason: string
}

export interface SegmentWalk {
  /** Places that do not verify, with frames behind them. */
  readonly gaps: readonly Gap[]
  /** The end of the last frame that verified. */
  readonly end: Position
  /** What stands there: `blank`, or why it is no frame. */
  readonly stop: FrameVerdict
  readonly frames: number
  readonly records: number
  /** Of the last frame, 0 without frames. */
  readonly epoch: number
  /** The highest that a frame carries. */
  readonly watermark: number
  /** True when the visitor ended the walk. */
  readonly isStopped: boolean
}

/**
 * Where the log ends in the segment that was walked: before the first gap that was never proven
 * durable. Below the highest watermark a gap is damage, and the log goes on behind it.
 */
export function endOfLog({ gaps, end, watermark }: SegmentWalk): Position {
  return gaps.find(({ from }) => from >= watermark)?.from ?? end
}

/** The first thing wrong with a segment whose frames should end at `end`. */
export function faultOf(
  { places }: Segment,
  { gaps, end, stop }: SegmentWalk,
  wanted: Position | undefined,
): { readonly position: Position; readonly reason: string } | undefined {
  const [gap] = gaps
  if (gap !== undefined) return { position: gap.from, reason: gap.reason }
  if (wanted === undefined || end === wanted) return undefined
  if (end > wanted) {
    return { position: wanted, reason: 'a frame goes on behind the end of the segment' }
  }
  // What a rewriting left out is not missing.
  const next = places.nextFrom(end)
  if (next === undefined || next >= wanted) return undefined
  const reason = stop === 'blank' || stop === 'valid' ? 'a frame is missing' : stop
  return { position: end, reason: `${reason}; the segment ends at ${wanted}` }
}

/** Walks up to `to`, or as far as there are frames. */
export async function walkSegment(
  segment: Segment,
  to: Position | undefined,
  visitor: FrameVisitor = {},
): Promise<SegmentWalk> {
  const limit = to ?? segment.base + segment.segmentBytes
  const gaps: Gap[] = []
  let [frames, records, epoch, watermark] = [0, 0, 0, 0]
  let end = segment.first
  let isStopped = false
  let stop: FrameVerdict = 'blank'
  let cursor = frameCursor(segment, true)
  for (let next = segment.places.nextFrom(segment.first); next !== undefined && next < limit;) {
    if (next !== cursor.position) cursor.seek(next)
    stop = cursor.judge()
    if (stop === 'incomplete') {
      isStopped = !((await visitor.pause?.(next)) ?? true)
      if (isStopped) break
      stop = await judgeLoading(cursor)
    }
    if (stop !== 'valid') {
      const found = await goOn(segment, next, limit, epoch)
      if (found === undefined) break
      if (found.gap !== undefined) gaps.push(found.gap)
      cursor = found.cursor
    }
    const { block, at } = cursor
    frames += 1
    records += frameCount(block, at)
    epoch = frameEpoch(block, at)
    watermark = Math.max(watermark, frameWatermark(block, at))
    visitor.frame?.(block, at, cursor.position)
    cursor.step()
    end = cursor.position
    next = segment.places.nextFrom(end)
  }
  return { gaps, end, stop, frames, records, epoch, watermark, isStopped }
}

interface Found {
  /** At a frame that was judged valid. */
  readonly cursor: FrameCursor
  readonly gap: Gap | undefined
}

/** The frame at `from` when a second look finds it whole, else the next one behind it. */
async function goOn(
  segment: Segment,
  from: Position,
  limit: number,
  epochMin: number,
): Promise<Found | undefined> {
  const next = await findFrame(segment, from, limit, epochMin)
  const again = frameCursor(segment, true)
  again.seek(from)
  const reason = await judgeLoading(again)
  if (reason === 'valid' && frameEpoch(again.block, again.at) >= epochMin) {
    return { cursor: again, gap: undefined }
  }
  if (next === undefined) return undefined
  const text = reason === 'blank' ? 'a frame is missing' : reason
  return { cursor: next, gap: { from, to: next.position, reason: text } }
}

/** Looks for a frame behind `from`: every 8 bytes, because frames begin nowhere else. */
async function findFrame(
  segment: Segment,
  from: Position,
  limit: number,
  epochMin: number,
): Promise<FrameCursor | undefined> {
  const { places, file } = segment
  const cursor = frameCursor(segment, true)
  const block = Buffer.allocUnsafe(READ_BLOCK_BYTES)
  const zeros = Buffer.alloc(READ_BLOCK_BYTES)
  let [blockPlace, blockEnd] = [0, 0]
  let isBlank = false
  for (let at = from + FRAME_ALIGN_BYTES; at < limit; at += FRAME_ALIGN_BYTES) {
    const place = places.placeOf(position(at))
    if (place === undefined) continue
    if (place < blockPlace || place + 4 > blockEnd) {
      blockPlace = place
      blockEnd = place + (await readFully(file, block, place))
      if (place + 4 > blockEnd) return undefined
      const bytes = blockEnd - blockPlace
      isBlank = block.compare(zeros, 0, bytes, 0, bytes) === 0
    }
    if (isBlank || !isFrameMagic(block, place - blockPlace)) continue
    cursor.seek(position(at))
    const isFrame = (await judgeLoading(cursor)) === 'valid'
    // What an opening before left behind, on a disk that lied about zeros, is not the log's.
    if (isFrame && frameEpoch(cursor.block, cursor.at) >= epochMin) return cursor
  }
  return undefined
}
