/**
 * A machine's disk that survives the processes on it. Every call takes simulated time drawn from
 * the seed, so that a seed fixes the interleaving. A process that was killed leaves its calls
 * hanging for ever; what it had given to the operating system stays, until the power goes.
 */
import { assert, below, type Disk, DiskError, type DiskFile, type Random } from '@sagalog/kernel'
import type { NodeClock, SimulatedTime } from '@sagalog/kernel/testing'
import { writeAccount } from '../write-account.js'
import { directoryOf, SimulatedFiles, type SimulatedInode } from './simulated-files.js'

export interface SimulatedDiskOptions {
  readonly time: SimulatedTime
  readonly random: Random
  /** Bytes that all files together may have. Default: no bound. */
  readonly capacityBytes?: number
}

/** How often each class of fault was really reached. */
export interface DiskFaults {
  powerLosses: number
  kills: number
  sectorsKept: number
  sectorsDropped: number
  writesTorn: number
  entriesVanished: number
  syncsFailed: number
  shortWrites: number
  shortReads: number
  fullErrors: number
  bitsFlipped: number
  slowCalls: number
}

export interface SimulatedDisk {
  /** The disk as one process sees it; its handles die with the process. */
  attach(clock: NodeClock): Disk
  /** The process dies; what it gave to the operating system stays. */
  killProcess(clock: NodeClock): void
  /** All processes die; what they gave to the operating system stays. */
  killAll(): void
  /** Power loss: every process dies, and what was not synced is kept or lost sector by sector. */
  crash(): void
  /**
   * The next sync, or the next write that syncs, fails, after `skipped` that don't; what it should
   * have saved is lost, though processes go on seeing it.
   */
  failNextSync(skipped?: number): void
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

interface Process {
  readonly clock: NodeClock
  isDead: boolean
}

/** A call on its way; `leave` is what it does when its process dies under it. */
interface InFlight {
  readonly process: Process
  readonly leave: (cause: 'kill' | 'power') => void
}

/** Simulated milliseconds of a call: at least and at most. */
const LATENCY = { quick: [0.005, 0.1], write: [0.02, 0.3], sync: [0.1, 2] } as const

const SHORT_ONE_IN = 40

class Machine {
  readonly files: SimulatedFiles
  readonly faults: DiskFaults
  readonly #time: SimulatedTime
  readonly random: Random
  readonly #inFlight = new Set<InFlight>()
  readonly #processes = new Set<Process>()
  readonly locks = new Map<string, Process>()
  calls = 0
  listener: ((call: number) => void) | undefined
  /** Syncs until one fails; negative when none is to fail. */
  syncsToFailure = -1
  slow = { every: 0, delayMs: 0 }

  constructor(options: SimulatedDiskOptions) {
    this.#time = options.time
    this.random = options.random.fork('disk')
    this.faults = {
      powerLosses: 0,
      kills: 0,
      sectorsKept: 0,
      sectorsDropped: 0,
      writesTorn: 0,
      entriesVanished: 0,
      syncsFailed: 0,
      shortWrites: 0,
      shortReads: 0,
      fullErrors: 0,
      bitsFlipped: 0,
      slowCalls: 0,
    }
    this.files = new SimulatedFiles(this.random, this.faults, options.capacityBytes)
  }

  get inFlight(): number {
    return this.#inFlight.size
  }

  attach(clock: NodeClock): Process {
    this.reap()
    const process = { clock, isDead: clock.isDead }
    this.#processes.add(process)
    return process
  }

  #latency(kind: keyof typeof LATENCY): number {
    const [least, most] = LATENCY[kind]
    const usual = least + ((most - least) * below(this.random, 1000)) / 1000
    if (this.slow.every === 0 || below(this.random, this.slow.every) > 0) return usual
    this.faults.slowCalls += 1
    return usual + this.slow.delayMs
  }

  /** Runs a call: after its latency it completes, unless its process died meanwhile. */
  call<T>(
    process: Process,
    kind: keyof typeof LATENCY,
    complete: () => T,
    leave?: InFlight['leave'],
  ): Promise<T> {
    this.reap()
    this.calls += 1
    this.listener?.(this.calls)
    if (process.isDead || process.clock.isDead) return new Promise(() => undefined)
    const entry: InFlight = {
      process,
      leave: (cause) => {
        // A full disk takes nothing any more; nobody is left to be told.
        if (leave !== undefined) this.#try(() => leave(cause))
        else if (below(this.random, 2) === 0) this.#try(complete)
      },
    }
    this.#inFlight.add(entry)
    return new Promise((resolve, reject) => {
      this.#time.plan(this.#latency(kind), () => {
        if (!this.#inFlight.delete(entry)) return
        if (process.clock.isDead) {
          entry.leave('kill')
          return
        }
        try {
          resolve(complete())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #try(effect: () => unknown): void {
    try {
      effect()
    } catch {
      // Nobody is left to be told.
    }
  }

  /** Clocks may be killed from outside; what their processes had in flight ends here. */
  reap(): void {
    for (const process of this.#processes) {
      if (process.clock.isDead && !process.isDead) this.kill(process)
    }
  }

  kill(process: Process, cause: 'kill' | 'power' = 'kill'): void {
    process.isDead = true
    this.#processes.delete(process)
    for (const entry of [...this.#inFlight]) {
      if (entry.process !== process) continue
      this.#inFlight.delete(entry)
      entry.leave(cause)
    }
    for (const [directory, owner] of this.locks) {
      if (owner === process) this.locks.delete(directory)
    }
    if (cause === 'kill') this.faults.kills += 1
  }

  killClock(clock: NodeClock): void {
    clock.kill()
    this.reap()
  }

  killAll(): void {
    for (const process of [...this.#processes]) process.clock.kill()
    this.reap()
  }

  crash(): void {
    for (const process of [...this.#processes]) {
      process.clock.kill()
      this.kill(process, 'power')
    }
    this.faults.powerLosses += 1
    this.files.crash()
  }

  failsSync(): boolean {
    const isFailing = this.syncsToFailure === 0
    if (this.syncsToFailure >= 0) this.syncsToFailure -= 1
    if (isFailing) this.faults.syncsFailed += 1
    return isFailing
  }

  syncError(path: string): DiskError {
    return new DiskError('IO', { operation: 'syncing', path, reason: 'EIO' })
  }
}

function openedFile(
  machine: Machine,
  process: Process,
  opened: { path: string; inode: SimulatedInode; isEachWrite: boolean },
): DiskFile {
  const { path, inode, isEachWrite } = opened
  const { files, random, faults } = machine
  const account = writeAccount()

  function syncNow(pendingCount: number): void {
    if (machine.failsSync()) {
      files.loseSync(inode)
      throw machine.syncError(path)
    }
    files.sync(inode, pendingCount)
  }
  function write(bytes: Buffer, at: number): number {
    const isShort = bytes.length > 1 && below(random, SHORT_ONE_IN) === 0
    if (isShort) faults.shortWrites += 1
    const given = isShort ? bytes.subarray(0, 1 + below(random, bytes.length - 1)) : bytes
    const taken = files.write(path, inode, given, at)
    if (isEachWrite) syncNow(inode.pending.length)
    account.wrote(at, taken)
    if (isEachWrite) account.synced(account.writtenEnd)
    return taken
  }
  /** The operating system had begun: on power loss any sectors, else a first part. */
  function leaveWrite(bytes: Buffer, at: number, cause: 'kill' | 'power'): void {
    const part = cause === 'power' ? bytes.length : below(random, bytes.length + 1)
    if (part > 0) files.write(path, inode, bytes.subarray(0, part), at)
  }
  return {
    path,
    write(bytes, at) {
      const copy = Buffer.from(bytes)
      return machine.call(
        process,
        isEachWrite ? 'sync' : 'write',
        () => write(copy, at),
        (cause) => leaveWrite(copy, at, cause),
      )
    },
    read: (into, at) =>
      machine.call(process, 'quick', () => {
        const there = Math.max(0, Math.min(into.length, inode.cache.length - at))
        const isShort = there > 1 && below(random, SHORT_ONE_IN) === 0
        if (isShort) faults.shortReads += 1
        const given = isShort ? 1 + below(random, there - 1) : there
        into.set(inode.cache.subarray(at, at + given))
        return given
      }),
    sync() {
      const [count, end] = [inode.pending.length, account.writtenEnd]
      return machine.call(process, 'sync', () => {
        syncNow(count)
        account.synced(end)
      })
    },
    prepare: (bytes) =>
      machine.call(process, 'sync', () => {
        for (let at = 0; at < bytes;) {
          at += files.write(path, inode, Buffer.alloc(bytes - at), at)
        }
        syncNow(inode.pending.length)
      }),
    adopt: (end) =>
      machine.call(process, 'sync', () => {
        syncNow(inode.pending.length)
        account.wrote(0, end)
        account.synced(end)
      }),
    truncate: (bytes) => machine.call(process, 'quick', () => files.truncate(inode, bytes)),
    size: () => machine.call(process, 'quick', () => inode.cache.length),
    close: () => machine.call(process, 'quick', () => undefined),
    get writtenEnd() {
      return account.writtenEnd
    },
    get syncedEnd() {
      return account.syncedEnd
    },
  }
}

function attachedDisk(machine: Machine, clock: NodeClock): Disk {
  const { files } = machine
  const process = machine.attach(clock)
  return {
    open: (path, { access, sync }) =>
      machine.call(process, 'quick', () => {
        const inode = access === 'create' ? files.create(path) : files.get(path)
        return openedFile(machine, process, { path, inode, isEachWrite: sync === 'each-write' })
      }),
    list: (directory) =>
      machine.call(process, 'quick', () => {
        if (!files.directories.has(directory)) throw new DiskError('NOT_FOUND', { path: directory })
        const inside = files.paths().filter((path) => directoryOf(path) === directory)
        return inside.map((path) => path.slice(directory.length + 1))
      }),
    makeDirectory: (path) =>
      machine.call(process, 'quick', () => {
        // Durable at once: the adapter of a real disk syncs the parents as well.
        for (let folder = path; folder !== ''; folder = directoryOf(folder)) {
          files.directories.add(folder)
        }
      }),
    rename: (from, to) => machine.call(process, 'quick', () => files.rename(from, to)),
    remove: (path) => machine.call(process, 'quick', () => files.remove(path)),
    syncDirectory: (path) => machine.call(process, 'sync', () => files.syncDirectory(path)),
    lock: (directory) =>
      machine.call(
        process,
        'quick',
        () => {
          if (machine.locks.has(directory)) {
            throw new DiskError('IN_USE', { path: directory, owner: 'another process' })
          }
          machine.locks.set(directory, process)
          return {
            release: () =>
              machine.call(process, 'quick', () => {
                machine.locks.delete(directory)
              }),
          }
        },
        () => undefined,
      ),
  }
}

/** Makes the disk of one simulated machine. */
export function simulatedDisk(options: SimulatedDiskOptions): SimulatedDisk {
  const machine = new Machine(options)
  const { files, faults } = machine
  return {
    attach: (clock) => attachedDisk(machine, clock),
    killProcess: (clock) => machine.killClock(clock),
    crash: () => machine.crash(),
    killAll: () => machine.killAll(),
    failNextSync(skipped = 0) {
      machine.syncsToFailure = skipped
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
