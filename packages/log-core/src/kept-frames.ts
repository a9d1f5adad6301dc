/**
 * What is left of a frame when only some of its records must stay: frames again, each with records
 * that stood together, at the position that their bytes always had. So a rewritten segment is read
 * like any other, and each record still verifies at its own position.
 *
 * A frame of its own needs a header and padding; where the records between two that stay take less
 * room than those, they stay as well.
 */
import { assert, type LogRecord } from '@sagalog/kernel'
import { checksumWord } from './checksum.js'
import { alignUp, FRAME_HEADER_BYTES, frameBytes, frameCount, frameEpoch } from './frame-format.js'
import { frameGeneration, framePosition, frameWatermark } from './frame-format.js'
import { sealFrame, writeFrameHeader } from './frame-format.js'
import { FRAME_ALIGN_BYTES } from './limits.js'
import { RECORD_HEADER_BYTES, recordChecksum, recordLength } from './record-format.js'

/** A hole of fewer bytes does not hold the header and the padding of the frames around it. */
const HOLE_BYTES_MIN = FRAME_HEADER_BYTES + FRAME_ALIGN_BYTES

/** Records that stand together: indices in the frame, from its first byte. */
interface Stretch {
  from: number
  to: number
  records: number
}

/** A frame of the rewritten segment. */
export interface KeptFrame {
  /** Of its first byte. */
  readonly position: number
  readonly bytes: Buffer
  readonly records: number
  /** One of its records, to group frames by. */
  readonly first: LogRecord
}

/** The valid frame at index `at` of `source`, with those of its records that must stay. */
export function keptFrames(
  source: Buffer,
  at: number,
  recordAt: (index: number, position: number) => LogRecord,
  isKept: (record: LogRecord) => boolean,
): readonly KeptFrame[] {
  const start = framePosition(source, at)
  const records = recordsOf(source, at)
  const kept = records.map(({ from }) => isKept(recordAt(at + from, start + from)))
  const stretches = joined(source, at, stretchesOf(records, kept), records)
  return stretches.map((stretch) => {
    const first = recordAt(at + stretch.from, start + stretch.from)
    const isWhole = stretch.records === frameCount(source, at)
    const bytes = isWhole
      ? source.subarray(at, at + frameBytes(source, at))
      : cut(source, at, stretch)
    const position = start + stretch.from - FRAME_HEADER_BYTES
    return { position, bytes, records: stretch.records, first }
  })
}

interface Span {
  readonly from: number
  readonly to: number
}

function recordsOf(source: Buffer, at: number): readonly Span[] {
  const spans: Span[] = []
  let from = FRAME_HEADER_BYTES
  for (let count = frameCount(source, at); count > 0; count -= 1) {
    const to = from + RECORD_HEADER_BYTES + recordLength(source, at + from)
    spans.push({ from, to })
    from = to
  }
  return spans
}

/** Joins what stays where the hole between is too small. */
function stretchesOf(records: readonly Span[], kept: readonly boolean[]): Stretch[] {
  const stretches: Stretch[] = []
  for (const [index, { from, to }] of records.entries()) {
    if (kept[index] !== true) continue
    const last = stretches.at(-1)
    if (last !== undefined && from - last.to < HOLE_BYTES_MIN) {
      last.records += countIn(records, last.to, to)
      last.to = to
    } else stretches.push({ from, to, records: 1 })
  }
  return stretches
}

const countIn = (records: readonly Span[], from: number, to: number): number =>
  records.filter((span) => span.from >= from && span.to <= to).length

/** The padding of the last stretch must end where the frame ended: if not, it begins earlier. */
function joined(
  source: Buffer,
  at: number,
  stretches: Stretch[],
  records: readonly Span[],
): readonly Stretch[] {
  const end = frameBytes(source, at)
  for (let last = stretches.at(-1); last !== undefined; last = stretches.at(-1)) {
    const begin = last.from
    if (begin - FRAME_HEADER_BYTES + lengthOf(last) <= end) break
    const earlier = records.findLast(({ to }) => to <= begin)
    assert(earlier !== undefined, 'a stretch from the first record on ends with the frame')
    last.from = earlier.from
    last.records += 1
    const before = stretches.at(-2)
    if (before === undefined || last.from - before.to >= HOLE_BYTES_MIN) continue
    stretches.pop()
    before.records = countIn(records, before.from, last.to)
    before.to = last.to
  }
  return stretches
}

const lengthOf = ({ from, to }: Stretch): number => alignUp(FRAME_HEADER_BYTES + (to - from))

/** A frame with some of the records: all else that the header says stays true. */
function cut(source: Buffer, at: number, stretch: Stretch): Buffer {
  const bytes = Buffer.alloc(lengthOf(stretch))
  source.copy(bytes, FRAME_HEADER_BYTES, at + stretch.from, at + stretch.to)
  let sums = 0
  for (let index = FRAME_HEADER_BYTES, left = stretch.records; left > 0; left -= 1) {
    sums = checksumWord(sums, recordChecksum(bytes, index))
    index += RECORD_HEADER_BYTES + recordLength(bytes, index)
  }
  writeFrameHeader(bytes, 0, {
    bytes: bytes.length,
    count: stretch.records,
    generation: frameGeneration(source, at),
    epoch: frameEpoch(source, at),
    position: framePosition(source, at) + stretch.from - FRAME_HEADER_BYTES,
    recordsChecksum: sums,
  })
  sealFrame(bytes, 0, frameWatermark(source, at))
  return bytes
}
