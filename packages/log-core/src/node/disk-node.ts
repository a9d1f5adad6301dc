/**
 * The disk of the machine. The only file of the package that touches it. It keeps the account of
 * each file from completed calls alone.
 */
import * as fs from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Disk, DiskError, type DiskFile, type OpenOptions } from '@sagalog/kernel'
import { writeAccount } from '../write-account.js'
import { asDiskError } from './disk-error.js'
import { lockDirectory } from './lock-node.js'

type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void

/** Zeros are written in pieces, so that a full disk shows early and the pool is shared. */
const ZEROS = Buffer.alloc(1 << 20)

function call<T>(operation: string, path: string, start: (done: Callback<T>) => void): Promise<T> {
  return new Promise((settle, reject) => {
    start((error, value) => {
      if (error) reject(asDiskError(error, operation, path))
      else settle(value)
    })
  })
}

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = fs.constants
/**
 * Each write is durable by itself. Windows has no such flag, and on macOS it stops at the drive's
 * own cache, while a sync does not: there each write is followed by a sync.
 */
const O_DSYNC: number | undefined = process.platform === 'darwin' ? undefined : fs.constants.O_DSYNC

const openPlain = (path: string, flags: number): Promise<number> =>
  call('opened', path, (done) => fs.open(path, flags, 0o644, done))
const closePlain = (fd: number, path: string): Promise<void> =>
  call('closed', path, (done) => fs.close(fd, done))
const syncPlain = (fd: number, path: string): Promise<void> =>
  call('synced', path, (done) => fs.fsync(fd, done))

async function writePlain(
  fd: number,
  path: string,
  bytes: Uint8Array,
  at: number,
): Promise<number> {
  const taken = await call<number>('written', path, (done) =>
    fs.write(fd, bytes, 0, bytes.length, at, done),
  )
  if (taken === 0 && bytes.length > 0) throw new DiskError('FULL', { path })
  return taken
}

async function fillWithZeros(path: string, bytes: number): Promise<void> {
  const fd = await openPlain(path, O_RDWR)
  try {
    for (let at = 0; at < bytes;) {
      at += await writePlain(fd, path, ZEROS.subarray(0, Math.min(ZEROS.length, bytes - at)), at)
    }
    await syncPlain(fd, path)
  } finally {
    await closePlain(fd, path)
  }
}

async function openFile(path: string, { access, sync }: OpenOptions): Promise<DiskFile> {
  const isEachWrite = sync === 'each-write'
  const syncFlag = isEachWrite ? (O_DSYNC ?? 0) : 0
  const accessFlags = { read: O_RDONLY, write: O_RDWR, create: O_RDWR | O_CREAT | O_EXCL }
  const fd = await openPlain(path, accessFlags[access] | syncFlag)
  const account = writeAccount()
  let isClosed = false
  /** Reads on their way: a descriptor that is closed under one may be another file's at once. */
  let reads = 0
  let whenUnread: (() => void) | undefined
  return {
    path,
    async write(bytes, at) {
      const taken = await writePlain(fd, path, bytes, at)
      account.wrote(at, taken)
      if (!isEachWrite) return taken
      const end = account.writtenEnd
      if (O_DSYNC === undefined) await syncPlain(fd, path)
      account.synced(end)
      return taken
    },
    async read(into, at) {
      if (isClosed) throw new DiskError('IO', { operation: 'read', path, reason: 'closed' })
      reads += 1
      try {
        return await call<number>('read', path, (done) =>
          fs.read(fd, into, 0, into.length, at, done),
        )
      } finally {
        reads -= 1
        if (reads === 0) whenUnread?.()
      }
    },
    async sync() {
      const end = account.writtenEnd
      await call<void>('synced', path, (done) => fs.fdatasync(fd, done))
      account.synced(end)
    },
    prepare: (bytes) => fillWithZeros(path, bytes),
    async adopt(end) {
      await syncPlain(fd, path)
      account.wrote(0, end)
      account.synced(end)
    },
    truncate: (bytes) => call('truncated', path, (done) => fs.ftruncate(fd, bytes, done)),
    async size() {
      const stats = await call<fs.Stats>('read', path, (done) => fs.fstat(fd, done))
      return stats.size
    },
    async close() {
      if (isClosed) return
      isClosed = true
      if (reads > 0) await new Promise<void>((settle) => (whenUnread = settle))
      await closePlain(fd, path)
    },
    get writtenEnd() {
      return account.writtenEnd
    },
    get syncedEnd() {
      return account.syncedEnd
    },
  }
}

async function syncDirectory(path: string): Promise<void> {
  // Windows has no handle for a directory and makes entries durable by itself.
  if (process.platform === 'win32') return
  const fd = await openPlain(path, O_RDONLY)
  try {
    await syncPlain(fd, path)
  } finally {
    await closePlain(fd, path)
  }
}

/**
 * Makes what is missing from the top down; a new directory is an entry of its parent, which is
 * synced. Node's own recursion never ends where a parent is there and takes no entries, as under
 * /proc.
 */
async function makeDirectory(path: string): Promise<void> {
  const folder = resolve(path)
  const make = (): Promise<void> => call('created', path, (done) => fs.mkdir(folder, done))
  try {
    await make()
  } catch (error) {
    if (!DiskError.is(error)) throw error
    if (error.code === 'EXISTS' && (await isDirectory(folder))) return
    if (error.code !== 'NOT_FOUND' || dirname(folder) === folder) throw error
    await makeDirectory(dirname(folder))
    await make()
  }
  await syncDirectory(dirname(folder))
}

async function isDirectory(path: string): Promise<boolean> {
  const stats = await call<fs.Stats>('looked at', path, (done) => fs.stat(path, done))
  return stats.isDirectory()
}

/** The disk of the machine. */
export function nodeDisk(): Disk {
  return {
    open: openFile,
    async list(directory) {
      const names = await call<string[]>('read', directory, (done) => fs.readdir(directory, done))
      return names.sort()
    },
    makeDirectory,
    rename: (from, to) => call('renamed', from, (done) => fs.rename(from, to, done)),
    remove: (path) => call('removed', path, (done) => fs.unlink(path, done)),
    syncDirectory,
    lock: lockDirectory,
  }
}
