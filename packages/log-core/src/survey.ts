/**
 * What stands in one segment's file: the frames from its start, and beyond the first place that is
 * no frame, what else there is. Decides nothing; recovery does.
 */
import { position, type Position } from '@sagalog/kernel'
import { FRAME_HEADER_BYTES, frameBytes, frameEpoch, frameWatermark } from './frame-format.js'
import { type FrameVerdict, isFrameMagic } from './frame-format.js'
import { type FrameCursor, frameCursor, judgeLoading } from './frame-cursor.js'
import { FRAME_ALIGN_BYTES, READ_BLOCK_BYTES } from './limits.js'
import { firstPlace, readFully, type Segment } from './segment.js'

export interface Survey {
  /** Valid frames from the start without a gap. */
  readonly frames: number
  /** The end of those. */
  readonly end: Position
  /** The epoch of the last of those, 0 without frames. */
  readonly epoch: number
  /** What the first of those knew to be durable: the end of the segment before. */
  readonly endBefore: number
  /** What stands at the end instead of a frame. */
  readonly stop: FrameVerdict
  /** The highest watermark in any valid frame, also beyond the end. */
  readonly watermark: number
  /** Bytes from the end to the last byte that is not zero. */
  readonly bytesBeyond: number
  /** Beyond the end: where whole frames stand all the same, joined and in order. */
  readonly spansBeyond: readonly Span[]
}

export interface Span {
  readonly from: Position
  readonly to: Position
}

export async function surveySegment(segment: Segment): Promise<Survey> {
  const cursor = frameCursor(segment, true, { toPlace: segment.places.fileBytes })
  cursor.seek(segment.first)
  try {
    return await surveyWith(cursor, segment)
  } finally {
    await cursor.settled()
  }
}

async function surveyWith(cursor: FrameCursor, segment: Segment): Promise<Survey> {
  let frames = 0
  let watermark = 0
  let [epoch, endBefore] = [0, 0]
  let stop = await judgeLoading(cursor)
  while (stop === 'valid') {
    frames += 1
    watermark = Math.max(watermark, frameWatermark(cursor.block, cursor.at))
    epoch = frameEpoch(cursor.block, cursor.at)
    if (frames === 1) endBefore = frameWatermark(cursor.block, cursor.at)
    cursor.step()
    stop = cursor.judge()
    if (stop === 'incomplete') stop = await judgeLoading(cursor)
  }
  const end = cursor.position
  const beyond = await surveyBeyond(segment, end)
  return {
    frames,
    end,
    epoch,
    endBefore,
    stop,
    watermark: Math.max(watermark, beyond.watermark),
    bytesBeyond: beyond.bytes,
    spansBeyond: beyond.spans,
  }
}

/** The end of the last frame that verifies, also beyond a hole. */
export const lastFrameEnd = ({ end, spansBeyond }: Survey): Position =>
  spansBeyond.at(-1)?.to ?? end

/** What lies between the end, the spans behind it and `to`. */
export function gapsIn({ end, spansBeyond }: Survey, to: number): readonly Span[] {
  const gaps: Span[] = []
  let from = end
  for (const span of spansBeyond) {
    if (span.from > from) gaps.push({ from, to: span.from })
    from = span.to
  }
  if (from < to) gaps.push({ from, to: position(to) })
  return gaps
}

/**
 * Looks behind the last good frame: sectors of one torn write arrive in any order, so a whole frame
 * may stand behind a hole, and what it knew to be durable is evidence.
 */
async function surveyBeyond(
  segment: Segment,
  end: Position,
): Promise<{ watermark: number; bytes: number; spans: readonly Span[] }> {
  const from = firstPlace(segment) + (end - segment.first)
  const zeros = Buffer.alloc(Math.min(READ_BLOCK_BYTES, segment.places.fileBytes - from))
  const cursor = frameCursor(segment, true)
  const spans: Span[] = []
  let [watermark, bytes, skipTo] = [0, 0, from]
  for (let place = from; place < segment.places.fileBytes; place += READ_BLOCK_BYTES) {
    const block = Buffer.allocUnsafe(Math.min(READ_BLOCK_BYTES, segment.places.fileBytes - place))
    const got = await readFully(segment.file, block, place)
    if (got === 0) break
    if (block.compare(zeros, 0, got, 0, got) === 0) continue
    bytes = Math.max(bytes, place - from + lastUsed(block, got))
    for (let index = 0; index + 4 <= got; index += FRAME_ALIGN_BYTES) {
      if (!isFrameMagic(block, index) || place + index < skipTo) continue
      cursor.seek(position(end + (place + index - from)))
      if ((await judgeLoading(cursor)) !== 'valid') continue
      watermark = Math.max(watermark, frameWatermark(cursor.block, cursor.at))
      // Bodies may hold anything, also bytes that look like a frame.
      const frame = Math.max(frameBytes(cursor.block, cursor.at), FRAME_HEADER_BYTES)
      skipTo = place + index + frame
      addSpan(spans, { from: cursor.position, to: position(cursor.position + frame) })
    }
  }
  return { watermark, bytes, spans }
}

function addSpan(spans: Span[], span: Span): void {
  const last = spans.at(-1)
  if (last?.to === span.from) spans[spans.length - 1] = { from: last.from, to: span.to }
  else spans.push(span)
}

/** One more than the index of the last byte that is not zero. */
function lastUsed(block: Buffer, limit: number): number {
  let used = limit
  while (used > 0 && block[used - 1] === 0) used -= 1
  return used
}
