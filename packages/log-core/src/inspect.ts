/**
 * What a log's directory holds, told without owning it: a row for each segment. It reads headers,
 * first frames and the segment in which the log ends, and judges no more than those.
 */
import { type Disk, position, type Position } from '@sagalog/kernel'
import { frameEpoch, frameWatermark } from './frame-format.js'
import { frameCursor, judgeLoading } from './frame-cursor.js'
import { openLogFiles, type SegmentFile } from './log-files.js'
import { identityPlaces, type PlacesOf } from './places.js'
import type { Segment } from './segment.js'
import { surveySegment } from './survey.js'

export interface InspectOptions {
  readonly disk: Disk
  readonly directory: string
  readonly places?: PlacesOf
}

/**
 * `closed`: the log has rolled to a later one. `active`: the log ends in it. `prepared`: behind the
 * active one, without frames. `damaged`: its header or its first frame does not verify.
 */
export type SegmentState = 'closed' | 'active' | 'prepared' | 'damaged'

export interface SegmentSummary {
  readonly file: string
  readonly state: SegmentState
  readonly base: Position
  /** Of the file. */
  readonly bytes: number
  /** How often the file was used; 0 when the header does not tell. */
  readonly generation: number
  /** Where its first frame stands. */
  readonly start: Position
  /** Where its frames end; of the active one, where they ended when it was read. */
  readonly end: Position
  /** Why it is damaged. */
  readonly reason: string | undefined
}

interface FirstFrame {
  readonly epoch: number
  /** The end of the segment before. */
  readonly endBefore: number
}

/** One row for each segment, by base. Rejects with NO_LOG, FORMAT_UNSUPPORTED or IO. */
export async function inspectLog(options: InspectOptions): Promise<readonly SegmentSummary[]> {
  const { disk, directory, places = identityPlaces } = options
  const { files, close } = await openLogFiles({ disk, directory, places })
  try {
    const firsts = await Promise.all(files.map(firstFrameOf))
    const active = activeIndex(firsts)
    const rows: SegmentSummary[] = []
    for (const [index, file] of files.entries()) {
      const endBefore = firsts[index + 1]?.endBefore
      rows.push(await summary(file, index - active, firsts[index] !== undefined, endBefore))
    }
    return rows
  } finally {
    await close()
  }
}

async function firstFrameOf({ segment }: SegmentFile): Promise<FirstFrame | undefined> {
  if (segment === undefined) return undefined
  const cursor = frameCursor(segment, false)
  cursor.seek(segment.first)
  if ((await judgeLoading(cursor)) !== 'valid') return undefined
  const { block, at } = cursor
  return { epoch: frameEpoch(block, at), endBefore: frameWatermark(block, at) }
}

/** The newest segment with a frame that an opening before did not leave behind. */
function activeIndex(firsts: readonly (FirstFrame | undefined)[]): number {
  let newest = 0
  for (const [index, first] of firsts.entries()) {
    if (first !== undefined && first.epoch >= (firsts[newest]?.epoch ?? 0)) newest = index
  }
  return newest
}

async function summary(
  { path: file, base, fileBytes: bytes, segment, fault }: SegmentFile,
  fromActive: number,
  hasFrame: boolean,
  endBefore: number | undefined,
): Promise<SegmentSummary> {
  if (segment === undefined) {
    return {
      file,
      state: 'damaged',
      base,
      bytes,
      generation: 0,
      start: base,
      end: base,
      reason: fault,
    }
  }
  const { generation, first: start } = segment
  const row = { file, base, bytes, generation, start, reason: undefined }
  if (fromActive > 0) return { ...row, state: 'prepared', end: start }
  if (fromActive === 0) return { ...row, state: 'active', end: (await surveySegment(segment)).end }
  if (!hasFrame)
    return { ...row, state: 'damaged', end: start, reason: 'its first frame is damaged' }
  return { ...row, state: 'closed', end: closedEnd(segment, endBefore) }
}

/** What the next segment says; the whole of it when that one does not verify. */
function closedEnd(segment: Segment, endBefore: number | undefined): Position {
  const last = segment.base + segment.segmentBytes
  if (endBefore === undefined || endBefore < segment.first || endBefore > last)
    return position(last)
  return position(endBefore)
}
