/**
 * A consistent copy of a log, also of one in use: every segment as it stands up to one position,
 * each copy read back and verified frame by frame, then the manifest that makes it a backup.
 *
 * The position is the end of the log when the backup began. In the owner's process that end is
 * waited for, so all that was appended before is in it; from outside it is the end of the last
 * whole frame, so all that was acknowledged before is in it.
 */
import { type Clock, type Disk, position, type Position } from '@sagalog/kernel'
import type { Log } from './api.js'
import { type BackupFile, type BackupManifest, copyPath } from './backup-manifest.js'
import { isBackupPart, readManifest, writeManifest } from './backup-manifest.js'
import { asLogError, LogError } from './errors.js'
import { copyFile, withZeros } from './file-copy.js'
import { closedEnd, isStillThere, type LogFiles, openLogFiles } from './log-files.js'
import { identityPlaces, type PlacesOf } from './places.js'
import { SEAL_BYTES } from './seal-format.js'
import { segmentName } from './segment-format.js'
import { endOfLog, faultOf, walkSegment } from './segment-walk.js'
import { placeOfEnd, type Segment } from './segment.js'
import { removeAll, takeVacant } from './vacant-directory.js'

export interface BackupOptions {
  readonly disk: Disk
  readonly clock: Clock
  /** Of the log. */
  readonly directory: string
  /** A new or empty directory, or one where a backup was not finished. */
  readonly to: string
  /** The log, when this process has it open: nothing retires while the backup reads. */
  readonly log?: Log
  readonly places?: PlacesOf
  /** Called now and then with the bytes copied, of about so many in all. */
  readonly onProgress?: (bytes: number, of: number) => void
}

/** How often a backup begins anew because the owner retired a segment under it. */
const TRIES = 5

/**
 * Copies the log; resolves with the manifest once the backup is durable. A crash or a failure in
 * the middle leaves a directory without a manifest, which is no backup and may be tried again.
 * Rejects with LogError NO_LOG, NOT_EMPTY, CORRUPT (the log is damaged: nothing is backed up),
 * DISK_FULL, LOCKED or IO.
 */
export async function backupLog(options: BackupOptions): Promise<BackupManifest> {
  const { disk, directory, to, log } = options
  const end = log === undefined ? undefined : await endToReach(log)
  // A reader that does not move: the log keeps everything from its start on.
  const hold = log?.failure === undefined ? log?.cursor(log.start) : undefined
  try {
    // Before anything is made: a missing log leaves no empty backup directory.
    await (await openLogFiles({ disk, directory, places: placesOf(options) })).close()
    const lock = await takeVacant(disk, to, isPartOfBackup)
    try {
      for (let tries = 1; ; tries += 1) {
        if (await copyLog(options, end)) return await readManifest(disk, to)
        if (tries === TRIES) throw new LogError('LOG_BUSY', { directory })
      }
    } catch (error) {
      await clear(disk, to).catch(() => undefined)
      throw error
    } finally {
      await lock.release()
    }
  } catch (error) {
    throw asLogError(error, to)
  } finally {
    hold?.close()
  }
}

const placesOf = ({ places = identityPlaces }: BackupOptions): PlacesOf => places

/** Parts are only parts where no manifest vouches for them. */
function isPartOfBackup(name: string): boolean {
  return isBackupPart(name)
}

async function clear(disk: Disk, to: string): Promise<void> {
  await removeAll(disk, to, (await disk.list(to)).filter(isBackupPart))
}

/** All that was appended, once it is durable; of a failed log what is. */
async function endToReach(log: Log): Promise<Position> {
  if (log.failure !== undefined) return log.watermark('sync')
  const end = log.watermark('memory')
  await log.waitFor(end, 'sync')
  return end
}

/** False when a segment was retired meanwhile. */
async function copyLog(options: BackupOptions, wanted: Position | undefined): Promise<boolean> {
  const { disk, clock, directory, to, onProgress = () => {} } = options
  await clear(disk, to)
  const log = await openLogFiles({ disk, directory, places: placesOf(options) })
  try {
    const [damage] = log.damage
    if (damage !== undefined) {
      const { file, from, reason } = damage
      throw new LogError('CORRUPT', { file, position: from, reason })
    }
    const takenMs = clock.wallMs()
    const end = wanted ?? (await activeEnd(log))
    const segments = log.segments.filter(({ base, first }) => base === startOf(log) || first < end)
    const whole = segments.reduce((sum, { segmentBytes }) => sum + segmentBytes, 0)
    let copied = 0
    const onBytes = (bytes: number): void => {
      copied += bytes
      onProgress(copied, whole)
    }
    const files: BackupFile[] = []
    for (const [index, segment] of segments.entries()) {
      const isLast = index === segments.length - 1
      const file = await copySegment({ disk, to, segment, onBytes }, isLast ? end : undefined, log)
      if (file === undefined) return false
      files.push(file)
    }
    const sum = (of: 'frames' | 'records'): number => files.reduce((all, one) => all + one[of], 0)
    const { segmentBytes = 0 } = segments[0] ?? {}
    const counts = { frames: sum('frames'), records: sum('records') }
    await writeManifest(disk, to, {
      ...{ takenMs, segmentBytes, start: startOf(log), end, ...counts },
      files,
    })
    onProgress(whole, whole)
    return true
  } finally {
    await log.close()
  }
}

const startOf = ({ segments }: LogFiles): Position => segments[0]?.base ?? position(0)

/** Where the log ends; rejects with CORRUPT when something below the end is damaged. */
async function activeEnd({ segments, active }: LogFiles): Promise<Position> {
  const segment = segments[active]
  if (segment === undefined) return position(0)
  const walk = await walkSegment(segment, undefined)
  const end = endOfLog(walk)
  const gap = walk.gaps.find(({ from }) => from < end)
  const reason = `${gap?.reason ?? walk.stop}, yet ${walk.watermark} was durable`
  if (gap === undefined && end >= walk.watermark) return end
  throw new LogError('CORRUPT', { file: segment.path, position: gap?.from ?? end, reason })
}

interface SegmentCopy {
  readonly disk: Disk
  readonly to: string
  readonly segment: Segment
  readonly onBytes: (bytes: number) => void
}

/**
 * Copies a segment, whole or up to the end of the backup, and reads the copy back. Undefined when
 * the owner retired it meanwhile; rejects with CORRUPT when it is damaged.
 */
async function copySegment(
  { disk, to, segment, onBytes }: SegmentCopy,
  last: Position | undefined,
  log: LogFiles,
): Promise<BackupFile | undefined> {
  const name = segmentName(segment.base)
  const path = copyPath(to, name)
  const fileBytes = segment.places.fileBytes + SEAL_BYTES
  // A seal says that there is a next segment, so the last copy has none.
  const bytes = last === undefined ? fileBytes : placeOfEnd(segment, last)
  const copied = await copyFile({ disk, from: segment.file, bytes, to: path, onBytes })
  const end = last ?? closedEnd(log, log.segments.indexOf(segment))
  const file = await disk.open(path, { access: 'read', sync: 'on-demand' })
  try {
    const walk = await walkSegment({ ...segment, file: withZeros(file, fileBytes) }, end)
    const fault = faultOf(segment, walk, end)
    if (fault === undefined && end !== undefined) {
      const { frames, records } = walk
      return { name, ...copied, fileBytes, frames, records, end }
    }
    if (!(await isStillThere(disk, segment))) return undefined
    const detail = fault ?? { position: walk.end, reason: 'where it ends is not known' }
    throw new LogError('CORRUPT', { file: segment.path, ...detail })
  } finally {
    await file.close()
  }
}
