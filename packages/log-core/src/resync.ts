/** Finds the next frame that verifies behind one that does not. */
import { position, type Position } from '@sagalog/kernel'
import { frameCursor, judgeLoading } from './frame-cursor.js'
import { FRAME_ALIGN_BYTES } from './limits.js'
import type { Segment } from './segment.js'

/** The first frame after `after` that verifies and begins below `end`; `end` without one. */
export async function nextFrameAfter(
  segment: Segment,
  after: Position,
  end: Position,
): Promise<Position> {
  const { places } = segment
  const cursor = frameCursor(segment, true)
  const step = (from: Position): Position | undefined =>
    places.nextFrom(position(from + FRAME_ALIGN_BYTES))
  for (let at = step(after); at !== undefined && at < end; at = step(at)) {
    cursor.seek(at)
    if ((await judgeLoading(cursor)) === 'valid') return at
  }
  return end
}
