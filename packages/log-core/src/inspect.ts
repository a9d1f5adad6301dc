/**
 * What a log's directory holds, told without owning it: a row for each segment. It reads headers,
 * first frames and the segment in which the log ends, and judges no more than those.
 */
import { type Disk, position, type Position } from '@sagalog/kernel'
import { closedEnd, openLogFiles, type SegmentFile } from './log-files.js'
import { identityPlaces, type PlacesOf } from './places.js'
import { walkSegment } from './segment-walk.js'

export interface InspectOptions {
  readonly disk: Disk
  readonly directory: string
  readonly places?: PlacesOf
}

/**
 * `closed`: the log has rolled to a later one. `active`: the log ends in it. `prepared`: behind the
 * active one, without frames. `unfinished`: to become one of those, a crash or the owner is at it.
 * `damaged`: its header or its first frame does not verify.
 */
export type SegmentState = 'closed' | 'active' | 'prepared' | 'unfinished' | 'damaged'

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

/** One row for each segment, by base. Rejects with NO_LOG, FORMAT_UNSUPPORTED or IO. */
export async function inspectLog(options: InspectOptions): Promise<readonly SegmentSummary[]> {
  const { disk, directory, places = identityPlaces } = options
  const log = await openLogFiles({ disk, directory, places })
  try {
    const rows: SegmentSummary[] = []
    for (const [index, file] of log.files.entries()) {
      rows.push(await summary(file, index - log.active, closedEnd(log, index)))
    }
    return rows
  } finally {
    await log.close()
  }
}

async function summary(
  { path: file, base, fileBytes: bytes, segment, fault, firstFrame }: SegmentFile,
  fromActive: number,
  end: Position | undefined,
): Promise<SegmentSummary> {
  const generation = segment?.generation ?? 0
  const start = segment?.first ?? base
  const row = { file, base, bytes, generation, start, reason: undefined }
  if (segment === undefined && fault !== undefined) {
    return { ...row, state: 'damaged', end: start, reason: fault }
  }
  if (segment === undefined) return { ...row, state: 'unfinished', end: start }
  if (fromActive > 0) return { ...row, state: 'prepared', end: start }
  if (fromActive === 0) {
    return { ...row, state: 'active', end: (await walkSegment(segment, undefined)).end }
  }
  if (firstFrame === undefined) {
    return { ...row, state: 'damaged', end: start, reason: 'its first frame does not verify' }
  }
  // Where the next one does not say where it ends, it may fill all of its positions.
  return { ...row, state: 'closed', end: end ?? position(base + segment.segmentBytes) }
}
