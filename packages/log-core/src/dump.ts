/**
 * The records of a log one after another, read from outside and verified, for people and programs
 * that look into it. It goes on behind damage and tells it; one block of the log is in memory.
 */
import { type Disk, type Position, position, recordKindOf } from '@sagalog/kernel'
import { frameCount, frameEpoch, FRAME_HEADER_BYTES } from './frame-format.js'
import { closedEnd, type LogFiles, openLogFiles } from './log-files.js'
import { identityPlaces, type PlacesOf } from './places.js'
import { RECORD_HEADER_BYTES, recordLength } from './record-format.js'
import type { Segment } from './segment.js'
import { endOfLog, walkSegment } from './segment-walk.js'
import type { Damage } from './verify.js'

export interface DumpOptions {
  readonly disk: Disk
  readonly directory: string
  readonly places?: PlacesOf
  /** Leaves out the records before it. */
  readonly from?: Position
  /** Ends before the first record at or after it. */
  readonly to?: Position
}

export interface DumpedRecord {
  readonly position: Position
  /** Undefined when this version does not know the code. */
  readonly kind: string | undefined
  readonly code: number
  readonly version: number
  /** Of the frame that it was committed in. */
  readonly frame: Position
  /** Counts the openings of the log; this one wrote the record. */
  readonly epoch: number
  readonly body: Buffer
  readonly file: string
}

export interface DumpVisitor {
  readonly record: (record: DumpedRecord) => void
  /** Called between reads, so that what was given may leave; false ends the dump. */
  readonly pause: () => Promise<boolean>
  readonly damage: (damage: Damage) => void
}

/** Rejects with LogError NO_LOG, FORMAT_UNSUPPORTED or IO; damage goes to the visitor. */
export async function dumpLog(options: DumpOptions, visitor: DumpVisitor): Promise<void> {
  const { disk, directory, places = identityPlaces } = options
  const log = await openLogFiles({ disk, directory, places })
  try {
    for (const { file, from, reason } of log.damage) {
      visitor.damage({ file, position: from, reason })
    }
    for (const [index, segment] of log.segments.entries()) {
      const { base, segmentBytes } = segment
      if (index > log.active || base >= (options.to ?? Infinity)) break
      if (base + segmentBytes <= (options.from ?? 0)) continue
      const end = await endOfFrames(log, index, segment)
      if (!(await dumpSegment(segment, end, options, visitor))) break
    }
  } finally {
    await log.close()
  }
}

async function endOfFrames(
  log: LogFiles,
  index: number,
  segment: Segment,
): Promise<Position | undefined> {
  if (index < log.active) return closedEnd(log, index)
  return endOfLog(await walkSegment(segment, undefined))
}

/** False when there is no more to give. */
async function dumpSegment(
  segment: Segment,
  end: Position | undefined,
  { from = position(0), to = position(Number.MAX_SAFE_INTEGER) }: DumpOptions,
  visitor: DumpVisitor,
): Promise<boolean> {
  const file = segment.path
  const { gaps, isStopped } = await walkSegment(segment, end, {
    frame(block, at, frame) {
      const epoch = frameEpoch(block, at)
      let cursor = at + FRAME_HEADER_BYTES
      for (let count = frameCount(block, at); count > 0; count -= 1) {
        const start = cursor + RECORD_HEADER_BYTES
        const where = position(frame + (cursor - at))
        const [code, version] = [block[cursor + 8] ?? 0, block[cursor + 9] ?? 0]
        const body = block.subarray(start, start + recordLength(block, cursor))
        cursor = start + body.length
        if (where < from || where >= to) continue
        const kind = recordKindOf(code)
        visitor.record({ position: where, kind, code, version, frame, epoch, body, file })
      }
    },
    pause: async (reached) => (await visitor.pause()) && reached < to,
  })
  for (const { from: at, reason } of gaps) {
    const isKnown = segment.damage.some((known) => known.from <= at && at < known.to)
    if (!isKnown) visitor.damage({ file, position: at, reason })
  }
  return (await visitor.pause()) && !isStopped
}
