/**
 * The segments of a directory as somebody sees them who does not own it: opened for reading only,
 * without the lock, nothing changed. The owner may go on appending, rolling and retiring meanwhile:
 * what was listed can be gone, and an end is one that was true a moment ago.
 */
import { type Disk, DiskError, type DiskFile, type Position, position } from '@sagalog/kernel'
import { asLogError, LogError } from './errors.js'
import { frameCursor, judgeLoading } from './frame-cursor.js'
import { frameEpoch, frameWatermark } from './frame-format.js'
import type { PlacesOf } from './places.js'
import { baseOfName, decodeSegmentHeader, FORMAT_VERSION } from './segment-format.js'
import { SEGMENT_HEADER_BYTES } from './segment-format.js'
import { isBlankBehindHeader } from './recovery.js'
import { walkSegment } from './segment-walk.js'
import { pathOf, readFully, type Segment, segmentOf } from './segment.js'

export interface LogFilesOptions {
  readonly disk: Disk
  readonly directory: string
  readonly places: PlacesOf
}

export interface SegmentFile {
  readonly path: string
  readonly base: Position
  readonly fileBytes: number
  /** Undefined when its header does not verify, and then `fault` says how. */
  readonly segment: Segment | undefined
  /** Undefined for the newest one when nothing stands in it: it was never finished. */
  readonly fault: string | undefined
  /** Undefined when no frame stands at its start, or none that verifies. */
  readonly firstFrame: FirstFrame | undefined
}

export interface FirstFrame {
  readonly epoch: number
  /** The end of the segment before. */
  readonly endBefore: number
}

export interface LogFiles {
  /** By base; at least one. */
  readonly files: readonly SegmentFile[]
  /** The index of the segment in which the log ends; those behind it are prepared. */
  readonly active: number
  close(): Promise<void>
}

/** Where the frames of a closed segment end, or undefined when the next one does not tell. */
export function closedEnd({ files }: LogFiles, index: number): Position | undefined {
  const segment = files[index]?.segment
  const end = files[index + 1]?.firstFrame?.endBefore
  if (segment === undefined || end === undefined) return undefined
  const isInside = end >= segment.first && end <= segment.base + segment.segmentBytes
  return isInside ? position(end) : undefined
}

/**
 * Opens the segments. Rejects with LogError NO_LOG when the directory is not there or has none,
 * with FORMAT_UNSUPPORTED for a newer format, and with IO.
 */
export async function openLogFiles(options: LogFilesOptions): Promise<LogFiles> {
  const { disk, directory } = options
  const files: SegmentFile[] = []
  async function close(): Promise<void> {
    for (const { segment } of files) await segment?.file.close()
  }
  try {
    const bases = await basesIn(disk, directory)
    for (const base of bases) {
      const file = await openSegmentFile(options, base, base === bases.at(-1))
      if (file !== undefined) files.push(file)
    }
    if (files.length === 0)
      throw new LogError('NO_LOG', { directory, reason: 'it has no segments' })
    return { files, active: await activeIndex(files), close }
  } catch (error) {
    await close()
    throw asLogError(error, directory)
  }
}

/**
 * The newest segment with a frame that an opening before did not leave behind. One whose first
 * frame is damaged counts too when a later one proves that it was durable.
 */
async function activeIndex(files: readonly SegmentFile[]): Promise<number> {
  let [newest, epoch] = [0, 0]
  for (const [index, { firstFrame }] of files.entries()) {
    if (firstFrame === undefined || firstFrame.epoch < epoch) continue
    newest = index
    epoch = firstFrame.epoch
  }
  for (let index = files.length - 1; index > newest; index -= 1) {
    const segment = files[index]?.segment
    if (segment === undefined) continue
    if ((await walkSegment(segment, undefined)).watermark > segment.first) return index
  }
  return newest
}

async function firstFrameOf(segment: Segment): Promise<FirstFrame | undefined> {
  const cursor = frameCursor(segment, true)
  cursor.seek(segment.first)
  if ((await judgeLoading(cursor)) !== 'valid') return undefined
  const { block, at } = cursor
  return { epoch: frameEpoch(block, at), endBefore: frameWatermark(block, at) }
}

async function basesIn(disk: Disk, directory: string): Promise<readonly Position[]> {
  try {
    const names = await disk.list(directory)
    return names.map(baseOfName).filter((base) => base !== undefined)
  } catch (error) {
    const isNone = DiskError.is(error) && error.code.startsWith('NOT_')
    if (!isNone) throw error
    const reason = error.message.replace(/^\w+: /, '')
    throw new LogError('NO_LOG', { directory, reason }, { cause: error })
  }
}

async function openSegmentFile(
  { disk, directory, places }: LogFilesOptions,
  base: Position,
  isNewest: boolean,
): Promise<SegmentFile | undefined> {
  const path = pathOf(directory, base)
  let file: DiskFile | undefined
  try {
    file = await disk.open(path, { access: 'read', sync: 'on-demand' })
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
    const got = await readFully(file, bytes, 0)
    const fileBytes = await file.size()
    const verdict = decodeSegmentHeader(bytes.subarray(0, got))
    if ('header' in verdict && verdict.header.base === base) {
      const segment = segmentOf({ disk, directory, placesOf: places }, verdict.header, file)
      const firstFrame = await firstFrameOf(segment)
      return { path, base, fileBytes, segment, fault: undefined, firstFrame }
    }
    const isUnfinished = isNewest && (await isBlankBehindHeader(file))
    await file.close()
    const unreadable = { path, base, fileBytes, segment: undefined, firstFrame: undefined }
    if (isUnfinished) return { ...unreadable, fault: undefined }
    if ('header' in verdict) {
      const fault = `the header is that of position ${verdict.header.base}`
      return { ...unreadable, fault }
    }
    if (verdict.fault === 'newer') {
      const { version: found } = verdict
      const detail = { file: path, what: 'format version', found, known: FORMAT_VERSION }
      throw new LogError('FORMAT_UNSUPPORTED', detail)
    }
    const fault = `the segment header is ${verdict.fault}`
    return { ...unreadable, fault }
  } catch (error) {
    await file?.close()
    // The owner removed it after we listed it.
    if (DiskError.is(error) && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}
