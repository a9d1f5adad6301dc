/** An open file of a simulated disk: what a call does when it completes, fails or is left. */
import { below, type DiskFile } from '@sagalog/kernel'
import { writeAccount } from '../write-account.js'
import { SECTOR_BYTES, type SimulatedInode } from './simulated-files.js'
import { ioError, type SimulatedMachine, type SimulatedProcess } from './simulated-machine.js'

const SHORT_ONE_IN = 40

interface Opened {
  readonly path: string
  readonly inode: SimulatedInode
  readonly isEachWrite: boolean
}

/** A write goes astray: to a sector of any file, or nowhere where it would have been right. */
function goAstray(machine: SimulatedMachine, { inode }: Opened, bytes: Buffer, at: number): void {
  const { files, random } = machine
  const paths = files.paths()
  const path = paths[below(random, paths.length)] ?? ''
  const target = files.find(path)
  const inSector = at % SECTOR_BYTES
  const sectors = Math.floor(((target?.cache.length ?? 0) - inSector) / SECTOR_BYTES)
  machine.faults.writesMisdirected += 1
  if (target === undefined || sectors < 1) return
  const place = below(random, sectors) * SECTOR_BYTES + inSector
  if (target === inode && place === at) return
  files.write(path, target, bytes.subarray(0, target.cache.length - place), place)
  files.sync(target)
}

export function openedFile(
  machine: SimulatedMachine,
  process: SimulatedProcess,
  opened: Opened,
): DiskFile {
  const { path, inode, isEachWrite } = opened
  const { files, random, faults } = machine
  const account = writeAccount()

  function syncNow(pendingCount: number): void {
    if (machine.failsSync()) {
      files.loseSync(inode)
      throw ioError('synced', path)
    }
    files.sync(inode, pendingCount)
  }
  function write(bytes: Buffer, at: number): number {
    const isShort = bytes.length > 1 && below(random, SHORT_ONE_IN) === 0
    if (isShort) faults.shortWrites += 1
    const given = isShort ? bytes.subarray(0, 1 + below(random, bytes.length - 1)) : bytes
    let taken = given.length
    if (machine.misdirects()) goAstray(machine, opened, given, at)
    else taken = files.write(path, inode, given, at)
    if (isEachWrite) syncNow(inode.pending.length)
    account.wrote(at, taken)
    if (isEachWrite) account.synced(account.writtenEnd)
    return taken
  }
  function writePart(bytes: Buffer, at: number, part: number): void {
    if (part > 0) files.write(path, inode, bytes.subarray(0, part), at)
  }
  const loseSync = (): void => files.loseSync(inode)
  const nothing = (): void => undefined
  const quick = (operation: string) => ({ kind: 'quick', operation, path }) as const
  const sync = { kind: 'sync', operation: 'synced', path } as const
  return {
    path,
    write(bytes, at) {
      const copy = Buffer.from(bytes)
      const kind = isEachWrite ? 'sync' : 'write'
      return machine.call(
        process,
        { kind, operation: 'written', path },
        {
          complete: () => write(copy, at),
          // The operating system had begun: on power loss any sectors, else a first part.
          leave: (cause) =>
            writePart(copy, at, cause === 'power' ? copy.length : below(random, copy.length + 1)),
          fail: () => {
            writePart(copy, at, below(random, copy.length + 1))
            if (below(random, 2) === 0) loseSync()
          },
        },
      )
    },
    read: (into, at) =>
      machine.call(process, quick('read'), {
        complete: () => {
          const there = Math.max(0, Math.min(into.length, inode.cache.length - at))
          const isShort = there > 1 && below(random, SHORT_ONE_IN) === 0
          if (isShort) faults.shortReads += 1
          const given = isShort ? 1 + below(random, there - 1) : there
          into.set(inode.cache.subarray(at, at + given))
          return given
        },
      }),
    sync() {
      const [count, end] = [inode.pending.length, account.writtenEnd]
      return machine.call(process, sync, {
        complete: () => {
          syncNow(count)
          account.synced(end)
        },
        fail: loseSync,
      })
    },
    prepare: (bytes) =>
      machine.call(process, sync, {
        complete: () => {
          for (let at = 0; at < bytes;) {
            at += files.write(path, inode, Buffer.alloc(bytes - at), at)
          }
          syncNow(inode.pending.length)
        },
        fail: () => {
          writePart(Buffer.alloc(bytes), 0, below(random, bytes + 1))
          loseSync()
        },
      }),
    adopt: (end) =>
      machine.call(process, sync, {
        complete: () => {
          syncNow(inode.pending.length)
          account.wrote(0, end)
          account.synced(end)
        },
        fail: loseSync,
      }),
    truncate: (bytes) =>
      machine.call(process, quick('truncated'), { complete: () => files.truncate(inode, bytes) }),
    size: () => machine.call(process, quick('read'), { complete: () => inode.cache.length }),
    close: () => machine.call(process, quick('closed'), { complete: nothing }),
    get writtenEnd() {
      return account.writtenEnd
    },
    get syncedEnd() {
      return account.syncedEnd
    },
  }
}
