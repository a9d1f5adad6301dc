/**
 * The disk as Sagalog sees it: positioned reads and writes that may be short, explicit syncs, and
 * directories whose entries are durable only after they are synced themselves. Failures are thrown
 * as `DiskError`. The port also keeps the account that proves durability: `syncedEnd` is computed
 * from calls that completed, by the adapter, and nothing that gates a reply may write it.
 */
import { defineErrors } from '../errors.js'

/** When written bytes become durable: with each write (O_DSYNC), or when `sync` is called. */
export type SyncMode = 'each-write' | 'on-demand'

export interface DiskFile {
  readonly path: string
  /** Writes from `at`; gives the number of bytes taken, which may be fewer than were given. */
  write(bytes: Uint8Array, at: number): Promise<number>
  /** Reads into `into` from `at`; gives the number of bytes read, 0 at the end of the file. */
  read(into: Uint8Array, at: number): Promise<number>
  /** Makes every completed write durable. After a failure the file must not be trusted again. */
  sync(): Promise<void>
  /** Fills the file with zeros up to `bytes` and syncs it. Not counted as written. */
  prepare(bytes: number): Promise<void>
  /** Syncs what an earlier process wrote below `end`, and counts it as written and synced. */
  adopt(end: number): Promise<void>
  truncate(bytes: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
  /**
   * End of the bytes that completed `write` calls took, from the start of the file without a gap.
   */
  readonly writtenEnd: number
  /** End of those bytes that are durable. */
  readonly syncedEnd: number
}

export interface DirectoryLock {
  release(): Promise<void>
}

export interface OpenOptions {
  /** `create` makes a new file and fails when one is there. */
  readonly access: 'read' | 'write' | 'create'
  readonly sync: SyncMode
}

export interface Disk {
  open(path: string, options: OpenOptions): Promise<DiskFile>
  /** The names in a directory, sorted. */
  list(directory: string): Promise<readonly string[]>
  /** Makes a directory and its parents; fine when it is there. */
  makeDirectory(path: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Makes the entries of a directory durable. */
  syncDirectory(path: string): Promise<void>
  /** Takes the directory for this process alone; fails with IN_USE when another has it. */
  lock(directory: string): Promise<DirectoryLock>
}

/** What can go wrong with a disk, named alike by every adapter. */
export const DiskError = defineErrors('DiskError', {
  NOT_FOUND: {
    text: '{path} is not there',
    advice: 'Check the path.',
    retry: 'never',
    state: 'unchanged',
  },
  EXISTS: {
    text: '{path} is there already',
    advice: 'Choose another path, or open the one that is there.',
    retry: 'never',
    state: 'unchanged',
  },
  NOT_A_DIRECTORY: {
    text: '{path} is a file or lies below one; a directory is needed',
    advice: 'Check the path.',
    retry: 'never',
    state: 'unchanged',
  },
  NOT_A_FILE: {
    text: '{path} is a directory; a file is needed',
    advice: 'Check the path.',
    retry: 'never',
    state: 'unchanged',
  },
  NO_ACCESS: {
    text: '{path} may not be {operation}',
    advice: 'Check the owner and the permissions of the path.',
    retry: 'never',
    state: 'unchanged',
  },
  READ_ONLY: {
    text: '{path} may not be {operation}: its file system is mounted read-only',
    advice: 'Mount it writable, or choose another directory.',
    retry: 'never',
    state: 'unchanged',
  },
  TOO_MANY_FILES: {
    text: '{path} can not be {operation}: too many files are open',
    advice: 'Raise the limit of open files (ulimit -n), or open less at once.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  TOO_LARGE: {
    text: '{path} can not grow: the file system or a limit of this process allows no larger file',
    advice: 'Raise the limit (ulimit -f), or make a log with smaller segments.',
    retry: 'after-delay',
    state: 'unknown',
  },
  FULL: {
    text: 'no space left for {path}',
    advice: 'Free some space; a log that is open goes on by itself.',
    retry: 'after-delay',
    state: 'unknown',
  },
  IN_USE: {
    text: '{path} is in use by {owner}',
    advice: 'Stop the other process, or choose another directory.',
    retry: 'after-delay',
    state: 'unchanged',
  },
  IO: {
    text: '{path} could not be {operation}: {reason}',
    advice: 'Look at the disk and the system log before starting again.',
    retry: 'never',
    state: 'unknown',
  },
})
export type DiskError = InstanceType<typeof DiskError>
