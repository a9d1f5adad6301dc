/**
 * A machine's disk that survives the processes on it. Every call takes simulated time drawn from
 * the seed, so that a seed fixes the interleaving. A process that was killed leaves its calls
 * hanging for ever; what it had given to the operating system stays, until the power goes.
 */
import { assert, type Disk, DiskError } from '@sagalog/kernel'
import type { NodeClock } from '@sagalog/kernel/testing'
import type { DiskFaults } from './disk-faults.js'
import { directoryOf, type SimulatedFiles } from './simulated-files.js'
import { openedFile } from './simulated-handle.js'
import { type SimulatedDiskOptions, SimulatedMachine } from './simulated-machine.js'

export interface SimulatedDisk {
  /** The disk as one process sees it; its handles die with the process. */
  attach(clock: NodeClock): Disk
  /** The process dies; what it gave to the operating system stays. */
  killProcess(clock: NodeClock): void
  /** All processes die; what they gave to the operating system stays. */
  killAll(): void
  /**
   * Power loss: every process dies, and what was not synced is kept or lost sector by sector and
   * entry by entry: as the seed says, or as `choose` does, asked once for each.
   */
  crash(choose?: () => boolean): void
  /**
   * The next sync, or the next write that syncs, fails, after `skipped` that don't; what it should
   * have saved is lost, though processes go on seeing it. -1: none fails.
   */
  failNextSync(skipped?: number): void
  /**
   * The next call fails with EIO, after `skipped` that don't. Whether it did its work, in part or
   * as a whole, is drawn from the seed. -1: none fails.
   */
  failNextCall(skipped?: number): void
  /** The next write goes to a wrong place, after `skipped` that don't, and nothing tells. */
  misdirectNextWrite(skipped?: number): void
  /** Bounds the bytes that all files together may have; undefined lifts the bound. */
  setCapacity(bytes: number | undefined): void
  /** From now on about one call in `every` takes `delayMs` more; 0 stops it. */
  setSlow(every: number, delayMs: number): void
  flipBit(path: string, bit: number): void
  /** A copy of a file as processes see it, or undefined. */
  contents(path: string): Buffer | undefined
  /** Every path, sorted. */
  paths(): readonly string[]
  /** Removes a file at once, as a person would. */
  removeFile(path: string): void
  /** Cuts a file to its first bytes at once, durable. */
  truncateFile(path: string, bytes: number): void
  /** Puts a file there at once, durable. */
  putFile(path: string, bytes: Buffer): void
  /** Calls of `Disk` and `DiskFile` that were made. */
  readonly calls: number
  /** Calls that have not completed. */
  readonly inFlight: number
  /** Called at each call with its number, before anything happens; may kill the process. */
  onCall(listener: ((call: number) => void) | undefined): void
  readonly faults: DiskFaults
}

function attachedDisk(machine: SimulatedMachine, clock: NodeClock): Disk {
  const { files } = machine
  const process = machine.attach(clock)
  const quick = <T>(operation: string, path: string, complete: () => T): Promise<T> =>
    machine.call(process, { kind: 'quick', operation, path }, { complete })
  const nothing = (): void => undefined
  return {
    open: (path, { access, sync }) =>
      quick('opened', path, () => {
        const inode = access === 'create' ? files.create(path) : files.get(path)
        return openedFile(machine, process, { path, inode, isEachWrite: sync === 'each-write' })
      }),
    list: (directory) => quick('read', directory, () => listed(files, directory)),
    makeDirectory: (path) =>
      quick('created', path, () => {
        // Durable at once: the adapter of a real disk syncs the parents as well.
        for (let folder = path; folder !== ''; folder = directoryOf(folder)) {
          files.directories.add(folder)
        }
      }),
    rename: (from, to) => quick('renamed', from, () => files.rename(from, to)),
    remove: (path) => quick('removed', path, () => files.remove(path)),
    syncDirectory: (path) =>
      machine.call(
        process,
        { kind: 'sync', operation: 'synced', path },
        { complete: () => files.syncDirectory(path), fail: nothing },
      ),
    lock: (directory) =>
      machine.call(
        process,
        { kind: 'quick', operation: 'locked', path: directory },
        {
          complete: () => {
            if (machine.locks.has(directory)) {
              throw new DiskError('IN_USE', { path: directory, owner: 'another process' })
            }
            machine.locks.set(directory, process)
            const release = (): boolean => machine.locks.delete(directory)
            return { release: () => quick('released', directory, () => void release()) }
          },
          leave: nothing,
          fail: nothing,
        },
      ),
  }
}

function listed(files: SimulatedFiles, directory: string): readonly string[] {
  if (!files.directories.has(directory)) throw new DiskError('NOT_FOUND', { path: directory })
  const inside = files.paths().filter((path) => directoryOf(path) === directory)
  return inside.map((path) => path.slice(directory.length + 1))
}

/** Makes the disk of one simulated machine. */
export function simulatedDisk(options: SimulatedDiskOptions): SimulatedDisk {
  const machine = new SimulatedMachine(options)
  const { files, faults } = machine
  return {
    attach: (clock) => attachedDisk(machine, clock),
    killProcess: (clock) => machine.killClock(clock),
    crash: (choose) => machine.crash(choose),
    killAll: () => machine.killAll(),
    failNextSync(skipped = 0) {
      machine.syncsToFailure = skipped
    },
    failNextCall(skipped = 0) {
      machine.callsToFailure = skipped
    },
    misdirectNextWrite(skipped = 0) {
      machine.writesToMisdirection = skipped
    },
    setCapacity(bytes) {
      assert(bytes === undefined || bytes >= 0, 'a capacity is not negative')
      files.capacityBytes = bytes
    },
    setSlow(every, delayMs) {
      machine.slow = { every, delayMs }
    },
    flipBit: (path, bit) => files.flipBit(path, bit),
    contents(path) {
      const inode = files.find(path)
      return inode === undefined ? undefined : Buffer.from(inode.cache)
    },
    paths: () => files.paths(),
    removeFile: (path) => files.erase(path),
    truncateFile: (path, bytes) => files.cut(path, bytes),
    putFile(path, bytes) {
      files.directories.add(directoryOf(path))
      const inode = files.find(path) ?? files.create(path)
      files.truncate(inode, 0)
      files.write(path, inode, bytes, 0)
      files.sync(inode)
      files.syncDirectory(directoryOf(path))
    },
    get calls() {
      return machine.calls
    },
    get inFlight() {
      return machine.inFlight
    },
    onCall(listener) {
      machine.listener = listener
    },
    faults,
  }
}
