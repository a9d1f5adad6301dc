/**
 * The segments of a directory as somebody sees them who does not own it: opened for reading only,
 * without the lock, nothing changed. The owner may go on appending, rolling and retiring meanwhile:
 * what was listed can be gone, and an end is one that was true a moment ago.
 */
import { type Disk, DiskError, type Position, position } from '@sagalog/kernel'
import { asLogError, LogError } from './errors.js'
import { frameCursor, judgeLoading } from './frame-cursor.js'
import { frameEpoch, frameWatermark } from './frame-format.js'
import type { PlacesOf } from './places.js'
import { baseOfName, decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-format.js'
import { openSegmentFiles, type SegmentFiles } from './segment-files.js'
import { walkSegment } from './segment-walk.js'
import { type DamagedRange, readFully, type Segment } from './segment.js'
import { trackedDisk } from './tracked-disk.js'

export interface LogFilesOptions {
  readonly disk: Disk
  readonly directory: string
  readonly places: PlacesOf
}

export interface FirstFrame {
  readonly epoch: number
  /** The end of the segment before. */
  readonly endBefore: number
}

export interface LogFiles {
  /** By base, without a gap: what is missing has its place all the same. At least one. */
  readonly segments: readonly Segment[]
  /** Of each segment, undefined where no frame stands at its start, or none that verifies. */
  readonly firstFrames: readonly (FirstFrame | undefined)[]
  /** The index of the segment in which the log ends; those behind it are prepared. */
  readonly active: number
  /** What headers, names and sizes show. */
  readonly damage: readonly DamagedRange[]
  /** The path of the newest segment when it was never finished. */
  readonly unfinished: string | undefined
  close(): Promise<void>
}

/** How often the directory is looked at again because its owner changed it meanwhile. */
const LOOKS_MAX = 8

/**
 * Opens the segments. Rejects with LogError NO_LOG when the directory is not there or has none,
 * with CORRUPT when none can be told from another, with FORMAT_UNSUPPORTED, and with IO.
 */
export async function openLogFiles(options: LogFilesOptions): Promise<LogFiles> {
  const { directory } = options
  for (let look = 1; ; look += 1) {
    const { disk, closeAll } = trackedDisk(options.disk)
    try {
      const before = await namesIn(disk, directory)
      const files = await lookInto({ ...options, disk })
      const isSettled = (await namesIn(disk, directory)) === before
      if (files !== undefined && (isSettled || look === LOOKS_MAX)) {
        return { ...files, close: closeAll }
      }
      if (files === undefined && isSettled) {
        throw new LogError('NO_LOG', { directory, reason: 'it has no segments' })
      }
      await closeAll()
    } catch (error) {
      await closeAll()
      // The owner removed a file that we were about to open.
      const isGone = DiskError.is(error) && error.code === 'NOT_FOUND'
      if (!isGone || look === LOOKS_MAX) throw asLogError(error, directory)
    }
  }
}

/**
 * For those whose opening would make a log: rejects with NO_LOG where none was made. It looks at
 * names only; what stands in the files is for the opening to judge.
 */
export async function expectLog({
  disk,
  directory,
}: Omit<LogFilesOptions, 'places'>): Promise<void> {
  if ((await namesIn(disk, directory)) !== '') return
  throw new LogError('NO_LOG', { directory, reason: 'it has no segments' })
}

/** What a change of is a change of the log: segments, and its start. */
async function namesIn(disk: Disk, directory: string): Promise<string> {
  try {
    const names = await disk.list(directory)
    return names.filter((name) => baseOfName(name) !== undefined || name === 'start').join()
  } catch (error) {
    if (!DiskError.is(error) || !error.code.startsWith('NOT_')) throw error
    const reason = error.message.replace(/^\w+: /, '')
    throw new LogError('NO_LOG', { directory, reason }, { cause: error })
  }
}

async function lookInto({
  disk,
  directory,
  places,
}: LogFilesOptions): Promise<Omit<LogFiles, 'close'> | undefined> {
  const files = await openSegmentFiles({ disk, directory, placesOf: places }, true)
  if (files === undefined) return undefined
  const [first] = files.damage
  if (files.segments.length === 0 && first !== undefined) {
    const { file, from, reason } = first
    throw new LogError('CORRUPT', { file, position: from, reason })
  }
  if (files.segments.length === 0) return undefined
  const { segments, damage, unfinished }: SegmentFiles = files
  const firstFrames: (FirstFrame | undefined)[] = []
  for (const segment of segments) firstFrames.push(await firstFrameOf(segment))
  const active = await activeIndex(segments, firstFrames)
  return { segments, firstFrames, active, damage, unfinished }
}

async function firstFrameOf(segment: Segment): Promise<FirstFrame | undefined> {
  const cursor = frameCursor(segment, true)
  cursor.seek(segment.first)
  if ((await judgeLoading(cursor)) !== 'valid') return undefined
  const { block, at } = cursor
  return { epoch: frameEpoch(block, at), endBefore: frameWatermark(block, at) }
}

/**
 * The newest segment with a frame that an opening before did not leave behind. One whose first
 * frame is damaged counts too when a later one proves that it was durable.
 */
async function activeIndex(
  segments: readonly Segment[],
  firstFrames: readonly (FirstFrame | undefined)[],
): Promise<number> {
  let [newest, epoch] = [0, 0]
  for (const [index, first] of firstFrames.entries()) {
    const closed = closedAs(segments[index])
    if (closed === undefined && (first === undefined || first.epoch < epoch)) continue
    newest = index
    epoch = closed?.epoch ?? first?.epoch ?? epoch
  }
  for (let index = segments.length - 1; index > newest; index -= 1) {
    const segment = segments[index]
    if (segment === undefined) continue
    if ((await walkSegment(segment, undefined)).watermark > segment.first) return index
  }
  return newest
}

/** What a closed segment says of itself: it is sealed or rewritten once the next has a frame. */
export function closedAs(
  segment: Segment | undefined,
): { readonly end: Position; readonly epoch: number } | undefined {
  return segment?.rewritten ?? segment?.seal
}

/** Where the frames of a closed segment end; undefined when neither it nor the next one tells. */
export function closedEnd(
  { segments, firstFrames }: LogFiles,
  index: number,
): Position | undefined {
  const segment = segments[index]
  const end = closedAs(segment)?.end ?? firstFrames[index + 1]?.endBefore
  if (segment === undefined || end === undefined) return undefined
  const isInside = end >= segment.first && end <= segment.base + segment.segmentBytes
  return isInside ? position(end) : undefined
}

/** False when the owner has retired the segment meanwhile, and may use its file for another. */
export async function isStillThere(disk: Disk, segment: Segment): Promise<boolean> {
  try {
    const file = await disk.open(segment.path, { access: 'read', sync: 'on-demand' })
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
    const got = await readFully(file, bytes, 0)
    await file.close()
    const verdict = decodeSegmentHeader(bytes.subarray(0, got))
    return !('header' in verdict) || verdict.header.generation === segment.generation
  } catch (error) {
    if (DiskError.is(error) && error.code === 'NOT_FOUND') return segment.generation === 0
    throw error
  }
}
