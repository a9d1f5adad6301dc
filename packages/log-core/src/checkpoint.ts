/**
 * Checkpoint files: caches of what the folds computed. Never needed, never trusted over the log. A
 * checkpoint gets its name only once the log is durable up to its position, so it never knows of a
 * record that a crash could take back; one that does not verify is removed and forgotten.
 */
import type { Clock, Disk, DiskFile, Position } from '@sagalog/kernel'
import { type CheckpointSummary, readCheckpoint, verifyCheckpoint } from './checkpoint-reader.js'
import { type SavingFold, writeCheckpoint } from './checkpoint-writer.js'
import { LogError } from './errors.js'
import { CHECKPOINTS_KEPT } from './limits.js'

const SUFFIX = '.ckpt'
const TEMPORARY_SUFFIX = '.ckpt.tmp'

export interface CheckpointPlace {
  readonly disk: Disk
  readonly clock: Clock
  readonly directory: string
}

const isCheckpoint = (name: string): boolean => /^[0-9a-f]{16}\.ckpt$/.test(name)

const pathAt = (directory: string, at: Position): string =>
  `${directory}/${at.toString(16).padStart(16, '0')}${SUFFIX}`

/**
 * Writes a checkpoint of the folds' saves, which have begun; `whenDurable` resolves once the log is
 * durable up to `at`. Rejects with DiskError, or as `whenDurable` does.
 */
export async function saveCheckpoint(
  { disk, clock, directory }: CheckpointPlace,
  { at, folds }: { at: Position; folds: readonly SavingFold[] },
  whenDurable: () => Promise<void>,
): Promise<void> {
  const path = pathAt(directory, at)
  const temporary = path.slice(0, -SUFFIX.length) + TEMPORARY_SUFFIX
  const file = await disk.open(temporary, { access: 'create', sync: 'on-demand' })
  try {
    await writeCheckpoint(file, { at, clock, folds })
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
  // Also for those that a save removed: a power loss must not bring one of them back.
  await disk.syncDirectory(directory)
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
 * Hands the chunks of the newest checkpoint that verifies and that `isUsable` takes to `take`, in
 * order; resolves with what it was, or undefined when there is none. Those that were refused on the
 * way are removed: the log may grow past their position again, with other records.
 */
export async function loadCheckpoint(
  place: CheckpointPlace,
  isUsable: (found: CheckpointSummary) => boolean,
  take: (fold: string, chunk: Buffer) => void,
): Promise<CheckpointSummary | undefined> {
  const { disk, directory } = place
  const names = await disk.list(directory)
  const refused = names.filter((name) => name.endsWith(TEMPORARY_SUFFIX))
  let found: CheckpointSummary | undefined
  for (const name of names.filter(isCheckpoint).reverse()) {
    found = await loadOne(place, name, { isUsable, take })
    if (found !== undefined) break
    refused.push(name)
  }
  for (const name of refused) await disk.remove(`${directory}/${name}`)
  if (refused.length > 0) await disk.syncDirectory(directory)
  return found
}

/** Read twice: folds can't give back what they took, so nothing is handed over unproven. */
async function loadOne(
  { disk, clock, directory }: CheckpointPlace,
  name: string,
  {
    isUsable,
    take,
  }: {
    isUsable: (found: CheckpointSummary) => boolean
    take: (fold: string, chunk: Buffer) => void
  },
): Promise<CheckpointSummary | undefined> {
  const path = `${directory}/${name}`
  const file = await disk.open(path, { access: 'read', sync: 'on-demand' })
  try {
    const found = await verifyCheckpoint(file, clock)
    if (found === undefined || pathAt('', found.position) !== `/${name}`) return undefined
    if (!isUsable(found)) return undefined
    if (!(await readCheckpoint(file, clock, take))) {
      const reason = 'the second reading gave other bytes than the first; the file may be removed'
      throw new LogError('CORRUPT', { file: path, position: 0, reason })
    }
    return found
  } finally {
    await file.close()
  }
}
