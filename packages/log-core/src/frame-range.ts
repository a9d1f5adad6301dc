/**
 * Ranges of the log as it is stored: whole frames in one buffer, for those who hand bytes on, to a
 * socket or a backup, without looking at each record. A range lies in one segment, and in memory or
 * in the file, never in both, so that nothing is copied to join its parts.
 */
import { position, type Position } from '@sagalog/kernel'
import type { FrameRange } from './api.js'
import { LogError } from './errors.js'
import { FRAME_HEADER_BYTES, type FrameVerdict, frameBytes, framePosition } from './frame-format.js'
import { isFrameMagic, judgeFrame } from './frame-format.js'
import { frameCursor, judgeLoading } from './frame-cursor.js'
import type { Gather } from './gather.js'
import { FRAME_ALIGN_BYTES } from './limits.js'
import { damage, firstAfter, type LogReader } from './log-reader.js'
import { enter, leave, readFully, type Segment } from './segment.js'
import type { Segments } from './segments.js'

export interface FrameRangeParts {
  readonly gather: Gather
  readonly segments: Segments
  readonly reader: LogReader
}

export interface FrameRangeBounds {
  readonly from: Position
  readonly to: Position
  readonly bytesMax: number
  readonly verify: boolean
}

const NONE = Buffer.alloc(0)

/** The first range at or after `from`; empty when `from` is at the end. */
export async function readFrames(
  parts: FrameRangeParts,
  bounds: FrameRangeBounds,
): Promise<FrameRange> {
  const { gather, segments, reader } = parts
  const { to } = bounds
  let at = bounds.from
  while (at < to) {
    const slab = gather.slabAt(at)
    if (slab !== undefined) {
      const index = at - slab.base
      const limit = Math.min(slab.used, to - slab.base)
      const block = { bytes: slab.buffer, index, limit, segment: slab.segment, position: at }
      const taken = takeFrames(block, bounds)
      if (taken.bytes > 0) return rangeOf(slab.buffer.subarray(index, index + taken.bytes), at)
      throw unknown(parts, at)
    }
    const segment = segments.find(at)
    if (segment === undefined) throw unknown(parts, at)
    if (at < segment.first) {
      // The segment before is full to its last byte: its end is the base of this one.
      at = segment.first
      continue
    }
    const contentEnd = await reader.contentEndOf(segment)
    const held = at < contentEnd ? segment.places.nextFrom(at) : undefined
    if (held === at) {
      const limit = position(Math.min(to, contentEnd, gather.slabAfter(at)?.base ?? to))
      enter(segment)
      try {
        return rangeOf(await readFromFile(parts, segment, { ...bounds, from: at, to: limit }), at)
      } finally {
        leave(segment)
      }
    }
    at = held === undefined || held >= contentEnd ? firstAfter(segment) : held
  }
  return rangeOf(NONE, at)
}

function rangeOf(bytes: Buffer, from: Position): FrameRange {
  return { bytes, from, next: position(from + bytes.length) }
}

function unknown({ reader, gather }: FrameRangeParts, at: Position): LogError {
  return new LogError('POSITION_UNKNOWN', { position: at, start: reader.start, end: gather.end })
}

interface Block {
  readonly bytes: Buffer
  /** Of the first frame. */
  readonly index: number
  readonly limit: number
  readonly segment: Segment
  /** Of the byte at `index`. */
  readonly position: Position
}

/** Bytes of the whole frames that may be taken, and what stands behind them. */
interface Taken {
  readonly bytes: number
  readonly verdict: FrameVerdict
}

function takeFrames(block: Block, { bytesMax, verify }: FrameRangeBounds): Taken {
  const { bytes: source, index, limit, segment } = block
  const { places } = segment
  const firstPlace = places.placeOf(block.position) ?? 0
  let taken = 0
  let verdict: FrameVerdict = 'incomplete'
  while (index + taken < limit) {
    const where = position(block.position + taken)
    // In a rewritten segment, frames that stand together may be far apart in position.
    if (places.placeOf(where) !== firstPlace + taken) break
    verdict = verify ? judge(block, taken, where) : glance(block, taken, where)
    if (verdict !== 'valid') break
    const bytes = frameBytes(source, index + taken)
    if (taken > 0 && taken + bytes > bytesMax) break
    taken += bytes
  }
  return { bytes: taken, verdict }
}

function judge({ bytes, index, limit, segment }: Block, taken: number, at: Position): FrameVerdict {
  const { generation, base, segmentBytes } = segment
  const bytesMax = base + segmentBytes - at
  const expected = { generation, epochMin: 0, position: at, bytesMax, withBodies: true }
  return judgeFrame(bytes, index + taken, limit, expected)
}

/** Where the frame ends, by its header alone. */
function glance({ bytes, index, limit }: Block, taken: number, at: Position): FrameVerdict {
  const start = index + taken
  if (limit - start < FRAME_HEADER_BYTES) return 'incomplete'
  if (!isFrameMagic(bytes, start)) return 'no frame begins here'
  if (framePosition(bytes, start) !== at) return 'the frame belongs to another position'
  const length = frameBytes(bytes, start)
  const isPossible = length >= FRAME_HEADER_BYTES && length % FRAME_ALIGN_BYTES === 0
  if (!isPossible) return 'the frame has a wrong length'
  return start + length > limit ? 'incomplete' : 'valid'
}

async function readFromFile(
  parts: FrameRangeParts,
  segment: Segment,
  bounds: FrameRangeBounds,
): Promise<Buffer> {
  const { from, to, bytesMax } = bounds
  const place = segment.places.placeOf(from) ?? segment.places.fileBytes
  const left = Math.min(to - from, segment.places.fileBytes - place)
  for (let wanted = Math.min(left, Math.max(bytesMax, FRAME_HEADER_BYTES)); ;) {
    const bytes = Buffer.allocUnsafeSlow(wanted)
    parts.reader.assertOpen()
    const limit = await readFully(segment.file, bytes, place)
    const block = { bytes, index: 0, limit, segment, position: from }
    const taken = takeFrames(block, bounds)
    if (taken.bytes > 0) return bytes.subarray(0, taken.bytes)
    const longer = taken.verdict === 'incomplete' ? frameBytes(bytes, 0) : 0
    if (longer <= wanted || longer > left) return explain(parts, segment, from, taken.verdict)
    wanted = longer
  }
}

/** Nothing whole stands at `at`: damage when a frame begins there, else the caller's mistake. */
async function explain(
  parts: FrameRangeParts,
  segment: Segment,
  at: Position,
  verdict: FrameVerdict,
): Promise<never> {
  const cursor = frameCursor(segment, false)
  let found = verdict
  let next = segment.places.nextFrom(segment.first)
  while (next !== undefined && next < at) {
    if (next !== cursor.position) cursor.seek(next)
    found = await judgeLoading(cursor)
    if (found !== 'valid') break
    cursor.step()
    next = segment.places.nextFrom(cursor.position)
  }
  if (cursor.position > at) throw unknown(parts, at)
  const reason = cursor.position === at ? verdict : found
  throw damage(segment, cursor.position, reason === 'blank' ? 'a frame is missing' : reason)
}
