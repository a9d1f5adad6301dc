/**
 * What a backup says of itself: one JSON file, written last, so a directory is a whole backup or
 * none. Its own checksum is in it; people can check each copy with `sha256sum`.
 */
import { createHash } from 'node:crypto'
import { type Disk, DiskError } from '@sagalog/kernel'
import { LogError } from './errors.js'
import { baseOfName } from './segment-format.js'
import { readFully, writeFully } from './segment.js'

export const MANIFEST_NAME = 'backup.json'
const TEMPORARY_NAME = 'backup.json.tmp'
const COPY_SUFFIX = '.copy'
const MANIFEST_VERSION = 1
/** More than a million segments have. */
const MANIFEST_BYTES_MAX = 512 << 20

export interface BackupFile {
  /** Of the segment; the copy has `.copy` behind it, so that nobody opens it as a log. */
  readonly name: string
  /** Of the copy. */
  readonly bytes: number
  /** Of the segment: what the copy lacks is zeros. */
  readonly fileBytes: number
  /** Over the copy, hexadecimal. */
  readonly sha256: string
  readonly frames: number
  readonly records: number
  /** Where its frames end in the backup. */
  readonly end: number
}

export interface BackupManifest {
  readonly format: 'sagalog-backup'
  readonly version: number
  /** Wall clock when the backup began, in milliseconds since 1970. */
  readonly takenMs: number
  readonly segmentBytes: number
  /** Where the first segment begins, and where the last frame ends. */
  readonly start: number
  readonly end: number
  readonly frames: number
  readonly records: number
  readonly files: readonly BackupFile[]
}

export const copyPath = (directory: string, name: string): string =>
  `${directory}/${name}${COPY_SUFFIX}`

/** True for what a backup that was not finished leaves. */
export const isBackupPart = (name: string): boolean =>
  name === TEMPORARY_NAME ||
  (name.endsWith(COPY_SUFFIX) && baseOfName(name.slice(0, -COPY_SUFFIX.length)) !== undefined)

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

export function encodeManifest(manifest: BackupManifest): Buffer {
  const body = JSON.stringify(manifest, undefined, 1)
  return Buffer.from(`${JSON.stringify({ sha256: sha256(body) })}\n${body}\n`)
}

/** The manifest, or why it is none. */
export function decodeManifest(bytes: Buffer): BackupManifest | string {
  const text = bytes.toString('utf8')
  const [head = '', ...rest] = text.split('\n')
  const body = rest.join('\n').replace(/\n$/, '')
  try {
    const { sha256: sum } = JSON.parse(head) as { sha256?: unknown }
    if (sum !== sha256(body) || !text.endsWith('}\n')) return 'its manifest is damaged'
    const manifest = JSON.parse(body) as BackupManifest
    if (manifest.format !== 'sagalog-backup') return 'its manifest is that of something else'
    if (manifest.version <= MANIFEST_VERSION) return manifest
    return `its manifest has version ${manifest.version}; this one knows ${MANIFEST_VERSION}`
  } catch {
    return 'its manifest is damaged'
  }
}

/**
 * Rejects with NO_BACKUP when there is none that is whole; its detail `isThere` says whether there
 * is something that does not verify.
 */
export async function readManifest(disk: Disk, directory: string): Promise<BackupManifest> {
  const none = (reason: string, isThere: boolean, cause?: unknown): LogError =>
    new LogError('NO_BACKUP', { directory, reason, isThere }, { cause })
  let file
  try {
    const path = `${directory}/${MANIFEST_NAME}`
    file = await disk.open(path, { access: 'read', sync: 'on-demand' })
  } catch (error) {
    if (!DiskError.is(error) || !error.code.startsWith('NOT_')) throw error
    throw none(
      `it has no ${MANIFEST_NAME}: nothing was backed up there, or not to the end`,
      false,
      error,
    )
  }
  try {
    const bytes = Buffer.alloc(Math.min(await file.size(), MANIFEST_BYTES_MAX))
    const manifest = decodeManifest(bytes.subarray(0, await readFully(file, bytes, 0)))
    if (typeof manifest === 'string') throw none(manifest, true)
    return manifest
  } finally {
    await file.close()
  }
}

/** Resolves when the manifest, and with it the backup, is durable. */
export async function writeManifest(
  disk: Disk,
  directory: string,
  manifest: Omit<BackupManifest, 'format' | 'version'>,
): Promise<void> {
  const temporary = `${directory}/${TEMPORARY_NAME}`
  const file = await disk.open(temporary, { access: 'create', sync: 'on-demand' })
  try {
    const header = { format: 'sagalog-backup', version: MANIFEST_VERSION } as const
    await writeFully(file, encodeManifest({ ...header, ...manifest }), 0)
    await file.sync()
  } finally {
    await file.close()
  }
  // The copies' entries are durable before the name that vouches for them.
  await disk.syncDirectory(directory)
  await disk.rename(temporary, `${directory}/${MANIFEST_NAME}`)
  await disk.syncDirectory(directory)
}
