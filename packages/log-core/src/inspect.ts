/**
 * What a log's directory holds, told without owning it: a row for each segment. It reads headers,
 * first frames and the segment in which the log ends, and judges no more than those.
 */
import { type Disk, position, type Position } from '@sagalog/kernel'
import { closedEnd, type LogFiles, openLogFiles } from './log-files.js'
import { identityPlaces, type PlacesOf } from './places.js'
import { endOfLog, walkSegment } from './segment-walk.js'
import type { Segment } from './segment.js'

export interface InspectOptions {
  readonly disk: Disk
  readonly directory: string
  readonly places?: PlacesOf
}

/**
 * `sealed`: closed, with a checksum over the whole file. `unsealed`: closed, and sealed soon.
 * `active`: the log ends in it. `prepared`: behind the active one, without frames. `unfinished`: to
 * become one of those, a crash or the owner is at it. `damaged`: it is missing, or its header, its
 * size or its first frame is wrong.
 */
export type SegmentState = 'sealed' | 'unsealed' | 'active' | 'prepared' | 'unfinished' | 'damaged'

export interface SegmentSummary {
  readonly file: string
  readonly state: SegmentState
  readonly base: Position
  /** Of the file. */
  readonly bytes: number
  /** How often the file was used; 0 when the header does not tell. */
  readonly generation: number
  /** It holds only what had to stay. */
  readonly isRewritten: boolean
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
    for (const [index, segment] of log.segments.entries()) {
      rows.push(await summary(log, index, segment))
    }
    const last = rows.at(-1)
    if (log.unfinished !== undefined && last !== undefined) {
      rows.push({ ...last, ...(await unfinished(disk, log.unfinished, log)) })
    }
    return rows
  } finally {
    await log.close()
  }
}

async function summary(log: LogFiles, index: number, segment: Segment): Promise<SegmentSummary> {
  const { path: file, base, generation, rewritten, seal, first: start, damage } = segment
  const bytes = await segment.file.size()
  const isRewritten = rewritten !== undefined
  const row = { file, base, bytes, generation, isRewritten, start, reason: undefined }
  const last = position(base + segment.segmentBytes)
  const isClosed = index < log.active
  const isFirstLost = isClosed && !isRewritten && log.firstFrames[index] === undefined
  const reason = damage[0]?.reason ?? (isFirstLost ? 'its first frame is damaged' : undefined)
  if (reason !== undefined) {
    return { ...row, state: 'damaged', end: closedEnd(log, index) ?? start, reason }
  }
  if (index > log.active) return { ...row, state: 'prepared', end: start }
  if (!isClosed) {
    return { ...row, state: 'active', end: endOfLog(await walkSegment(segment, undefined)) }
  }
  // Where the next one does not say where it ends, it may fill all of its positions.
  const state = seal === undefined ? 'unsealed' : 'sealed'
  return { ...row, state, end: closedEnd(log, index) ?? last }
}

async function unfinished(
  disk: Disk,
  path: string,
  { segments }: LogFiles,
): Promise<Omit<SegmentSummary, 'isRewritten' | 'reason'>> {
  const last = segments.at(-1)
  const base = position((last?.base ?? 0) + (last?.segmentBytes ?? 0))
  const file = await disk.open(path, { access: 'read', sync: 'on-demand' })
  const bytes = await file.size()
  await file.close()
  return { file: path, state: 'unfinished', base, bytes, generation: 0, start: base, end: base }
}
