/**
 * The segments of a directory as somebody sees them who does not own it: opened for reading only,
 * without the lock, nothing changed. The owner may go on appending, rolling and retiring meanwhile:
 * what was listed can be gone, and an end is one that was true a moment ago.
 */
import { type Disk, DiskError, type Position } from '@sagalog/kernel'
import { asLogError, LogError } from './errors.js'
import type { PlacesOf } from './places.js'
import { baseOfName, decodeSegmentHeader, FORMAT_VERSION } from './segment-format.js'
import { SEGMENT_HEADER_BYTES } from './segment-format.js'
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
  readonly fault: string | undefined
}

export interface LogFiles {
  /** By base; at least one. */
  readonly files: readonly SegmentFile[]
  close(): Promise<void>
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
    for (const base of await basesIn(disk, directory)) {
      const file = await openSegmentFile(options, base)
      if (file !== undefined) files.push(file)
    }
  } catch (error) {
    await close()
    throw asLogError(error, directory)
  }
  if (files.length === 0) throw new LogError('NO_LOG', { directory, reason: 'it has no segments' })
  return { files, close }
}

async function basesIn(disk: Disk, directory: string): Promise<readonly Position[]> {
  try {
    const names = await disk.list(directory)
    return names.map(baseOfName).filter((base) => base !== undefined)
  } catch (error) {
    if (!DiskError.is(error) || error.code === 'IO') throw error
    const reason = error.message.replace(/^\w+: /, '')
    throw new LogError('NO_LOG', { directory, reason }, { cause: error })
  }
}

async function openSegmentFile(
  { disk, directory, places }: LogFilesOptions,
  base: Position,
): Promise<SegmentFile | undefined> {
  const path = pathOf(directory, base)
  try {
    const file = await disk.open(path, { access: 'read', sync: 'on-demand' })
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
    const got = await readFully(file, bytes, 0)
    const fileBytes = await file.size()
    const verdict = decodeSegmentHeader(bytes.subarray(0, got))
    if ('header' in verdict && verdict.header.base === base) {
      const segment = segmentOf({ directory, placesOf: places }, verdict.header, file)
      return { path, base, fileBytes, segment, fault: undefined }
    }
    await file.close()
    if ('header' in verdict) {
      const fault = `the header is that of position ${verdict.header.base}`
      return { path, base, fileBytes, segment: undefined, fault }
    }
    if (verdict.fault === 'newer') {
      const { version: found } = verdict
      const detail = { file: path, what: 'format version', found, known: FORMAT_VERSION }
      throw new LogError('FORMAT_UNSUPPORTED', detail)
    }
    const fault = `the segment header is ${verdict.fault}`
    return { path, base, fileBytes, segment: undefined, fault }
  } catch (error) {
    // The owner removed it after we listed it.
    if (DiskError.is(error) && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}
