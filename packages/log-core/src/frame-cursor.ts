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
  /** Resolves once no read is on its way; of interest after reading ahead. */
  settled(): Promise<unknown>
}

export interface ReadAhead {
  /** Nothing at or behind this place of the file is read before it is asked for. */
  readonly toPlace: number
}

/** A block that was begun before it is asked for. */
interface Begun {
  readonly place: number
  readonly bytes: number
  readonly block: Promise<Buffer>
}

/** With `ahead`, the next block is read while the frames of the one before are judged. */
export function frameCursor(segment: Segment, withBodies: boolean, ahead?: ReadAhead): FrameCursor {
  const { places, generation, base, segmentBytes } = segment
  let block: Buffer = Buffer.alloc(0)
  let blockPlace = places.placeOf(segment.first) ?? places.fileBytes
  let at = 0
  let where = segment.first
  let begun: Begun | undefined
  /** One object for all frames; `epochMin` is of the frame before, when the cursor came from it. */
  const expected = { generation, epochMin: 0, position: where, bytesMax: 0, withBodies }

  function wanted(): number {
    const left = block.length - at
    if (left < FRAME_HEADER_BYTES || !isFrameMagic(block, at)) return FRAME_HEADER_BYTES
    return Math.min(frameBytes(block, at), segmentBytes)
  }
  function readAhead(): void {
    const place = blockPlace + endOfWholeFrames(block)
    const bytes = Math.min(READ_BLOCK_BYTES, (ahead?.toPlace ?? 0) - place)
    begun = undefined
    if (bytes < FRAME_HEADER_BYTES || place === blockPlace) return
    begun = { place, bytes, block: readBlock(segment, place, bytes) }
    // Told when it is asked for, if it ever is.
    begun.block.catch(() => undefined)
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
      expected.epochMin = 0
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
      expected.epochMin = frameEpoch(block, at)
      at += bytes
      where = position(where + bytes)
    },
    judge() {
      const bytesMax = base + segmentBytes - where
      if (bytesMax < FRAME_HEADER_BYTES) return 'blank'
      expected.position = where
      expected.bytesMax = bytesMax
      return judgeFrame(block, at, block.length, expected)
    },
    async load() {
      const need = wanted()
      const place = blockPlace + at
      const left = places.fileBytes - place
      if (left < need) return false
      const isBegun = begun?.place === place && begun.bytes >= need
      const bytes = Math.min(Math.max(need, READ_BLOCK_BYTES), left)
      block = await (isBegun && begun ? begun.block : readBlock(segment, place, bytes))
      blockPlace = place
      at = 0
      if (ahead !== undefined) readAhead()
      return block.length >= need
    },
    settled: () => Promise.allSettled([begun?.block]),
  }
}

async function readBlock(segment: Segment, place: number, bytes: number): Promise<Buffer> {
  const block = Buffer.allocUnsafeSlow(bytes)
  const got = await readFully(segment.file, block, place)
  return got === bytes ? block : block.subarray(0, got)
}

/** By their headers alone: where the last frame ends that is in the block as a whole. */
function endOfWholeFrames(block: Buffer): number {
  let end = 0
  while (end + FRAME_HEADER_BYTES <= block.length && isFrameMagic(block, end)) {
    const bytes = frameBytes(block, end)
    if (bytes < FRAME_HEADER_BYTES || end + bytes > block.length) break
    end += bytes
  }
  return end
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
