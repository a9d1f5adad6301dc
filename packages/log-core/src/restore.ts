/**
 * Makes a log of a backup, in a directory of its own, and verifies it: the checksum of each copy
 * while it is read, then every frame and record of what was written, and their numbers, against the
 * manifest. Until all that is done the directory has a mark, and nobody opens it as a log.
 */
import { type Disk, DiskError, type DiskFile, position } from '@sagalog/kernel'
import { type BackupFile, type BackupManifest, copyPath, readManifest } from './backup-manifest.js'
import { asLogError, LogError } from './errors.js'
import { checksumOf, type Copied, copyFile } from './file-copy.js'
import { openLogFiles } from './log-files.js'
import { START_NAME, START_TEMPORARY_NAME, writeStart } from './log-start.js'
import { identityPlaces, type PlacesOf } from './places.js'
import { baseOfName } from './segment-format.js'
import { faultOf, walkSegment } from './segment-walk.js'
import { writeFully } from './segment.js'
import { removeAll, RESTORE_MARK, takeVacant } from './vacant-directory.js'

export interface RestoreOptions {
  readonly disk: Disk
  /** Of the backup. */
  readonly from: string
  /** A new or empty directory, or one where a restore was not finished. */
  readonly to: string
  readonly places?: PlacesOf
  /** Called now and then with the bytes written, of so many in all. */
  readonly onProgress?: (bytes: number, of: number) => void
}

/**
 * Resolves with the manifest once the log is whole and durable. A failure removes what was written;
 * a crash leaves a marked directory that `openLog` refuses and a restore may use again. Rejects
 * with LogError NO_BACKUP, BACKUP_DAMAGED, NOT_EMPTY, DISK_FULL, LOCKED or IO.
 */
export async function restoreLog(options: RestoreOptions): Promise<BackupManifest> {
  const { disk, from, to } = options
  try {
    const manifest = await readManifest(disk, from)
    const lock = await takeVacant(disk, to, isPartOfRestore)
    try {
      await mark(disk, to)
      await writeSegments(options, manifest)
      await verifySegments(options, manifest)
      await removeAll(disk, to, [RESTORE_MARK])
      return manifest
    } catch (error) {
      await removeAll(disk, to, await partsIn(disk, to)).catch(() => undefined)
      throw error
    } finally {
      await lock.release()
    }
  } catch (error) {
    throw asLogError(error, to)
  }
}

/** Checks every copy against the manifest. Rejects with NO_BACKUP, BACKUP_DAMAGED or IO. */
export async function verifyBackup({
  disk,
  from,
  onProgress = () => {},
}: Omit<RestoreOptions, 'to'>): Promise<BackupManifest> {
  try {
    const manifest = await readManifest(disk, from)
    const onBytes = progressOf(manifest, onProgress)
    for (const entry of manifest.files) {
      await withCopy(disk, from, entry, (file) => checksumOf(file, onBytes))
    }
    return manifest
  } catch (error) {
    throw asLogError(error, from)
  }
}

function isPartOfRestore(name: string, names: readonly string[]): boolean {
  return names.includes(RESTORE_MARK) && isPart(name)
}

const isPart = (name: string): boolean =>
  [RESTORE_MARK, START_NAME, START_TEMPORARY_NAME].includes(name) || baseOfName(name) !== undefined

async function partsIn(disk: Disk, to: string): Promise<readonly string[]> {
  return (await disk.list(to)).filter(isPart)
}

/** Durable before the first segment is there. */
async function mark(disk: Disk, to: string): Promise<void> {
  const path = `${to}/${RESTORE_MARK}`
  const file = await disk.open(path, { access: 'create', sync: 'on-demand' })
  try {
    await writeFully(file, Buffer.from('A restore into this directory was not finished.\n'), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await disk.syncDirectory(to)
}

function progressOf(
  { files }: BackupManifest,
  onProgress: (bytes: number, of: number) => void,
): (bytes: number) => void {
  const whole = files.reduce((sum, { bytes }) => sum + bytes, 0)
  let done = 0
  return (bytes) => {
    done += bytes
    onProgress(done, whole)
  }
}

async function writeSegments(
  { disk, from, to, onProgress = () => {} }: RestoreOptions,
  manifest: BackupManifest,
): Promise<void> {
  const { start, segmentBytes, files } = manifest
  if (start > 0) await writeStart(disk, to, { start: position(start), segmentBytes })
  const onBytes = progressOf(manifest, onProgress)
  for (const entry of files) {
    const { name, bytes, fileBytes } = entry
    await withCopy(disk, from, entry, (file) =>
      copyFile({ disk, from: file, bytes: bytes + 1, to: `${to}/${name}`, fileBytes, onBytes }),
    )
  }
  await disk.syncDirectory(to)
}

/** Reads a copy and compares what was read with its entry. */
async function withCopy(
  disk: Disk,
  from: string,
  entry: BackupFile,
  read: (file: DiskFile) => Promise<Copied>,
): Promise<void> {
  const path = copyPath(from, entry.name)
  let file: DiskFile
  try {
    file = await disk.open(path, { access: 'read', sync: 'on-demand' })
  } catch (error) {
    if (!DiskError.is(error) || error.code !== 'NOT_FOUND') throw error
    throw damaged(path, 'it is missing')
  }
  try {
    const { sha256, bytes } = await read(file)
    if (sha256 === entry.sha256 && bytes === entry.bytes) return
    const reason =
      bytes === entry.bytes
        ? 'its checksum is not the one of the manifest'
        : `it has ${bytes} bytes, the manifest says ${entry.bytes}`
    throw damaged(path, reason)
  } finally {
    await file.close()
  }
}

const damaged = (file: string, reason: string): LogError =>
  new LogError('BACKUP_DAMAGED', { file, reason })

async function verifySegments(
  { disk, to, places = identityPlaces }: RestoreOptions,
  manifest: BackupManifest,
): Promise<void> {
  const log = await openLogFiles({ disk, directory: to, places })
  try {
    const [damage] = log.damage
    if (damage !== undefined) throw damaged(damage.file, damage.reason)
    for (const [index, entry] of manifest.files.entries()) {
      const segment = log.segments[index]
      if (segment === undefined) throw damaged(`${to}/${entry.name}`, 'it is missing')
      const end = position(entry.end)
      const walk = await walkSegment(segment, end)
      const fault = faultOf(segment, walk, end)
      if (fault !== undefined) throw damaged(segment.path, fault.reason)
      if (walk.frames === entry.frames && walk.records === entry.records) continue
      const found = `${walk.records} records in ${walk.frames} frames`
      const wanted = `${entry.records} in ${entry.frames}`
      throw damaged(segment.path, `it has ${found}, the manifest says ${wanted}`)
    }
  } finally {
    await log.close()
  }
}
