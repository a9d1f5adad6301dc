/**
 * A directory to put a backup or a restored log into: taken for this process, and empty but for
 * what an attempt before left there, which is removed.
 */
import type { Disk, DirectoryLock } from '@sagalog/kernel'
import { LogError } from './errors.js'

/** Where a restore is under way or was given up: not a log, whatever else is there. */
export const RESTORE_MARK = 'restore-unfinished'

/** Rejects with NOT_EMPTY, naming what is there, with LOCKED, DIRECTORY_UNUSABLE or IO. */
export async function takeVacant(
  disk: Disk,
  directory: string,
  isLeftover: (name: string, names: readonly string[]) => boolean,
): Promise<DirectoryLock> {
  await disk.makeDirectory(directory)
  const lock = await disk.lock(directory)
  try {
    const names = (await disk.list(directory)).filter((name) => !/^owner(\.|$)/.test(name))
    const foreign = names.find((name) => !isLeftover(name, names))
    if (foreign !== undefined) throw new LogError('NOT_EMPTY', { directory, name: foreign })
    await removeAll(disk, directory, names)
    return lock
  } catch (error) {
    await lock.release().catch(() => undefined)
    throw error
  }
}

/** The mark goes last: as long as anything of the attempt is there, it is too. */
export async function removeAll(
  disk: Disk,
  directory: string,
  names: readonly string[],
): Promise<void> {
  const parts = names.filter((name) => name !== RESTORE_MARK)
  for (const name of parts) await disk.remove(`${directory}/${name}`)
  if (parts.length > 0) await disk.syncDirectory(directory)
  if (parts.length === names.length) return
  await disk.remove(`${directory}/${RESTORE_MARK}`)
  await disk.syncDirectory(directory)
}
