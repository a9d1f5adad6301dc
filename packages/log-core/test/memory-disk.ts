/**
 * A disk in memory that takes no time and never fails: for campaigns that open a log a million
 * times. What is written is durable.
 */
import { type Clock, type Disk, DiskError, type DiskFile } from '@sagalog/kernel'
import { writeAccount } from '../src/write-account.js'

interface Content {
  bytes: Buffer
}

const directoryOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

function grow(content: Content, bytes: number): void {
  if (bytes <= content.bytes.length) return
  const grown = Buffer.alloc(bytes)
  content.bytes.copy(grown)
  content.bytes = grown
}

function openedFile(path: string, content: Content, isEachWrite: boolean): DiskFile {
  const account = writeAccount()
  return {
    path,
    async write(bytes, at) {
      const copy = Buffer.from(bytes)
      // Durable not before it is told.
      await Promise.resolve()
      grow(content, at + bytes.length)
      content.bytes.set(copy, at)
      account.wrote(at, bytes.length)
      if (isEachWrite) account.synced(account.writtenEnd)
      return bytes.length
    },
    async read(into, at) {
      const given = Math.max(0, Math.min(into.length, content.bytes.length - at))
      into.set(content.bytes.subarray(at, at + given))
      return given
    },
    async sync() {
      account.synced(account.writtenEnd)
    },
    async prepare(bytes) {
      content.bytes = Buffer.alloc(Math.max(bytes, content.bytes.length))
    },
    async adopt(end) {
      account.wrote(0, end)
      account.synced(end)
    },
    async truncate(bytes) {
      content.bytes = Buffer.from(content.bytes.subarray(0, bytes))
    },
    size: async () => content.bytes.length,
    close: async () => undefined,
    get writtenEnd() {
      return account.writtenEnd
    },
    get syncedEnd() {
      return account.syncedEnd
    },
  }
}

export function memoryDisk(files: ReadonlyMap<string, Buffer>) {
  const contents = new Map<string, Content>(
    [...files].map(([path, bytes]) => [path, { bytes: Buffer.from(bytes) }]),
  )
  const directories = new Set([...contents.keys()].map(directoryOf))
  const locked = new Set<string>()
  const find = (path: string): Content => {
    const content = contents.get(path)
    if (content === undefined) throw new DiskError('NOT_FOUND', { path })
    return content
  }
  const disk: Disk = {
    async open(path, { access, sync }) {
      if (access === 'create') {
        if (contents.has(path)) throw new DiskError('EXISTS', { path })
        contents.set(path, { bytes: Buffer.alloc(0) })
      }
      return openedFile(path, find(path), sync === 'each-write')
    },
    async list(directory) {
      if (!directories.has(directory)) throw new DiskError('NOT_FOUND', { path: directory })
      const inside = [...contents.keys()].filter((path) => directoryOf(path) === directory)
      return inside.map((path) => path.slice(directory.length + 1)).sort()
    },
    async makeDirectory(path) {
      for (let folder = path; folder !== ''; folder = directoryOf(folder)) directories.add(folder)
    },
    async rename(from, to) {
      const content = find(from)
      contents.delete(from)
      contents.set(to, content)
    },
    async remove(path) {
      find(path)
      contents.delete(path)
    },
    syncDirectory: async () => undefined,
    async lock(path) {
      if (locked.has(path)) throw new DiskError('IN_USE', { path, owner: 'another process' })
      locked.add(path)
      return {
        release: async () => {
          locked.delete(path)
        },
      }
    },
  }
  /** The files as they are now. */
  const snapshot = (): Map<string, Buffer> =>
    new Map([...contents].map(([path, { bytes }]) => [path, Buffer.from(bytes)]))
  return { disk, files: snapshot }
}

/** A clock for it: what is short passes at once, what is long never comes. */
export function hastyClock(): Clock {
  let nowMs = 0
  return {
    wallMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(delayMs, task) {
      let isCancelled = false
      if (delayMs < 100) {
        setImmediate(() => {
          nowMs += delayMs
          if (!isCancelled) task()
        })
      }
      return () => {
        isCancelled = true
      }
    },
    defer: (task) => queueMicrotask(task),
  }
}
