/**
 * Checkpoint files: caches of what the folds computed. Never needed, never trusted over the log. A
 * checkpoint gets its name only once the log is durable up to its position, so it never knows of a
 * record that a crash could take back; one that does not verify is removed and forgotten.
 */
import type { Disk, DiskFile, Position } from '@sagalog/kernel'
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from './checkpoint-format.js'
import { CHECKPOINTS_KEPT } from './limits.js'
import { readFully, writeFully } from './segment.js'

const SUFFIX = '.ckpt'
const TEMPORARY_SUFFIX = '.ckpt.tmp'

export interface CheckpointPlace {
  readonly disk: Disk
  readonly directory: string
}

const isCheckpoint = (name: string): boolean => /^[0-9a-f]{16}\.ckpt$/.test(name)

const pathAt = (directory: string, at: Position): string =>
  `${directory}/${at.toString(16).padStart(16, '0')}${SUFFIX}`

/** Writes a checkpoint; `whenDurable` resolves once the log is durable up to its position. */
export async function saveCheckpoint(
  { disk, directory }: CheckpointPlace,
  checkpoint: Checkpoint,
  whenDurable: () => Promise<void>,
): Promise<void> {
  const path = pathAt(directory, checkpoint.position)
  const temporary = path.slice(0, -SUFFIX.length) + TEMPORARY_SUFFIX
  const file = await disk.open(temporary, { access: 'create', sync: 'on-demand' })
  try {
    await writeFully(file, encodeCheckpoint(checkpoint), 0)
    await file.sync()
    await whenDurable()
  } catch (error) {
    await abandon(disk, file, temporary)
    throw error
  }
  await file.close()
  await disk.rename(temporary, path)
  await disk.syncDirectory(directory)
  const names = (await disk.list(directory)).filter(isCheckpoint)
  for (const name of names.slice(0, -CHECKPOINTS_KEPT)) await disk.remove(`${directory}/${name}`)
}

/** Removes every checkpoint whose position is below `at`, durably. */
export async function dropCheckpoints(
  { disk, directory }: CheckpointPlace,
  at: Position,
): Promise<void> {
  const names = (await disk.list(directory)).filter(isCheckpoint)
  const old = names.filter((name) => Number.parseInt(name, 16) < at)
  for (const name of old) await disk.remove(`${directory}/${name}`)
  if (old.length > 0) await disk.syncDirectory(directory)
}

async function abandon(disk: Disk, file: DiskFile, path: string): Promise<void> {
  try {
    await file.close()
    await disk.remove(path)
  } catch {
    // What is left over is removed when the folds are opened again.
  }
}

/**
 * The newest checkpoint that verifies and that `isUsable` takes. Those that were refused on the way
 * are removed: the log may grow past their position again, with other records.
 */
export async function newestCheckpoint(
  { disk, directory }: CheckpointPlace,
  isUsable: (checkpoint: Checkpoint) => boolean,
): Promise<Checkpoint | undefined> {
  const names = await disk.list(directory)
  const refused = names.filter((name) => name.endsWith(TEMPORARY_SUFFIX))
  let found: Checkpoint | undefined
  for (const name of names.filter(isCheckpoint).reverse()) {
    const checkpoint = await readCheckpoint(disk, `${directory}/${name}`)
    const isOwnName = checkpoint !== undefined && pathAt('', checkpoint.position) === `/${name}`
    if (checkpoint !== undefined && isOwnName && isUsable(checkpoint)) {
      found = checkpoint
      break
    }
    refused.push(name)
  }
  for (const name of refused) await disk.remove(`${directory}/${name}`)
  if (refused.length > 0) await disk.syncDirectory(directory)
  return found
}

async function readCheckpoint(disk: Disk, path: string): Promise<Checkpoint | undefined> {
  const file = await disk.open(path, { access: 'read', sync: 'on-demand' })
  try {
    const bytes = Buffer.alloc(await file.size())
    const got = await readFully(file, bytes, 0)
    return decodeCheckpoint(bytes.subarray(0, got))
  } finally {
    await file.close()
  }
}
