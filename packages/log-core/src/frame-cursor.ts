/**
 * Walks the frames of one segment's file: reads blocks, judges the frame at a position, steps on.
 * Blocks are never reused, because records that were handed over are views into them.
 */
import { position, type Position } from '@sagalog/kernel'
import { FRAME_HEADER_BYTES, type FrameVerdict, frameBytes, frameEpoch } from './frame-format.js'
import { isFrameMagic, judgeFrame } from './frame-format.js'
import { READ_BLOCK_BYTES } from './limits.js'
import { readFully, type Segment } from './segment.js'

export interface FrameCursor {
  /** The block that holds the frame judged last, and its index there. */
  readonly block: Buffer
  readonly at: number
  readonly position: Position
  /** Goes to a position of the segment; undefined places end the walk as `blank`. */
  seek(to: Position): void
  /** Steps over the frame that was judged valid. */
  step(): void
  /** Judges without reading; `incomplete` asks for `load`. */
  judge(): FrameVerdict
  /** Reads on; false when the file has no more bytes for this frame. */
  load(): Promise<boolean>
}

export function frameCursor(segment: Segment, withBodies: boolean): FrameCursor {
  const { places, file, generation, base, segmentBytes } = segment
  let block: Buffer = Buffer.alloc(0)
  let blockPlace = places.placeOf(segment.first) ?? places.fileBytes
  let at = 0
  let where = segment.first
  /** Of the frame before, when the cursor came from it. */
  let epochMin = 0

  function wanted(): number {
    const left = block.length - at
    if (left < FRAME_HEADER_BYTES || !isFrameMagic(block, at)) return FRAME_HEADER_BYTES
    return Math.min(frameBytes(block, at), segmentBytes)
  }
  return {
    get block() {
      return block
    },
    get at() {
      return at
    },
    get position() {
      return where
    },
    seek(to) {
      where = to
      epochMin = 0
      const place = places.placeOf(to) ?? places.fileBytes
      at = place - blockPlace
      if (at < 0 || at > block.length) {
        block = Buffer.alloc(0)
        blockPlace = place
        at = 0
      }
    },
    step() {
      const bytes = frameBytes(block, at)
      epochMin = frameEpoch(block, at)
      at += bytes
      where = position(where + bytes)
    },
    judge() {
      const bytesMax = base + segmentBytes - where
      if (bytesMax < FRAME_HEADER_BYTES) return 'blank'
      const expected = { generation, epochMin, position: where, bytesMax, withBodies }
      return judgeFrame(block, at, block.length, expected)
    },
    async load() {
      const need = wanted()
      const place = blockPlace + at
      const bytes = Math.min(Math.max(need, READ_BLOCK_BYTES), places.fileBytes - place)
      if (bytes < need) return false
      const next = Buffer.allocUnsafeSlow(bytes)
      const got = await readFully(file, next, place)
      block = next.subarray(0, got)
      blockPlace = place
      at = 0
      return got >= need
    },
  }
}

/** Judges the frame at the cursor, reading as needed. */
export async function judgeLoading(cursor: FrameCursor): Promise<FrameVerdict> {
  for (;;) {
    const verdict = cursor.judge()
    if (verdict !== 'incomplete') return verdict
    if (!(await cursor.load())) {
      const again = cursor.judge()
      return again === 'incomplete' ? 'the frame has a wrong length' : again
    }
  }
}
