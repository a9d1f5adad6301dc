/**
 * The files of a simulated machine: what processes see (the page cache) and what a power loss
 * leaves (the durable image). Between the two stand pending writes and pending directory changes;
 * a power loss decides for each sector and for each entry on its own.
 */
import { assert, below, DiskError, type Random } from '@sagalog/kernel'
import type { DiskFaults } from './disk-faults.js'

export const SECTOR_BYTES = 512

type Pending =
  | { readonly kind: 'write'; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: 'truncate'; readonly bytes: number }

export interface SimulatedInode {
  cache: Buffer
  durable: Buffer
  pending: Pending[]
}

interface EntryChange {
  readonly directory: string
  readonly apply: (entries: Map<string, SimulatedInode>) => void
}

export const directoryOf = (path: string): string =>
  path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** The content with `bytes` laid over it from `at`, grown when needed. */
function overlay(content: Buffer, bytes: Buffer, at: number): Buffer {
  let target = content
  if (at + bytes.length > content.length) {
    target = Buffer.alloc(at + bytes.length)
    content.copy(target)
  }
  bytes.copy(target, at)
  return target
}

function resized(content: Buffer, bytes: number): Buffer {
  if (bytes <= content.length) return Buffer.from(content.subarray(0, bytes))
  return overlay(content, Buffer.alloc(0), bytes)
}

export class SimulatedFiles {
  readonly #random: Random
  readonly #faults: DiskFaults
  #live = new Map<string, SimulatedInode>()
  #durable = new Map<string, SimulatedInode>()
  #changes: EntryChange[] = []
  readonly directories = new Set<string>()
  capacityBytes: number | undefined

  constructor(random: Random, faults: DiskFaults, capacityBytes: number | undefined) {
    this.#random = random
    this.#faults = faults
    this.capacityBytes = capacityBytes
  }

  paths(): readonly string[] {
    return [...this.#live.keys()].sort()
  }

  find(path: string): SimulatedInode | undefined {
    return this.#live.get(path)
  }

  get(path: string): SimulatedInode {
    const inode = this.#live.get(path)
    if (inode === undefined) throw new DiskError('NOT_FOUND', { path })
    return inode
  }

  #change(directory: string, apply: (entries: Map<string, SimulatedInode>) => void): void {
    apply(this.#live)
    this.#changes.push({ directory, apply })
  }

  create(path: string): SimulatedInode {
    if (this.#live.has(path)) throw new DiskError('EXISTS', { path })
    if (!this.directories.has(directoryOf(path))) throw new DiskError('NOT_FOUND', { path })
    const inode = { cache: Buffer.alloc(0), durable: Buffer.alloc(0), pending: [] }
    this.#change(directoryOf(path), (entries) => entries.set(path, inode))
    return inode
  }

  rename(from: string, to: string): void {
    const inode = this.get(from)
    this.#change(directoryOf(to), (entries) => {
      if (entries.get(from) === inode) entries.delete(from)
      entries.set(to, inode)
    })
  }

  remove(path: string): void {
    this.get(path)
    this.#change(directoryOf(path), (entries) => entries.delete(path))
  }

  syncDirectory(directory: string): void {
    for (const change of this.#changes) {
      if (change.directory === directory) change.apply(this.#durable)
    }
    this.#changes = this.#changes.filter((change) => change.directory !== directory)
  }

  #freeBytes(): number {
    if (this.capacityBytes === undefined) return Number.MAX_SAFE_INTEGER
    let used = 0
    for (const inode of new Set(this.#live.values())) used += inode.cache.length
    return this.capacityBytes - used
  }

  /** Writes into the page cache; gives how many bytes fitted on the disk. */
  write(path: string, inode: SimulatedInode, bytes: Buffer, at: number): number {
    const growth = at + bytes.length - Math.max(inode.cache.length, 0)
    const free = growth > 0 ? this.#freeBytes() : 0
    const taken =
      growth > free ? Math.max(0, bytes.length - (growth - Math.max(0, free))) : bytes.length
    if (taken < bytes.length) this.#faults.shortWrites += 1
    if (taken <= 0 && bytes.length > 0) {
      this.#faults.fullErrors += 1
      throw new DiskError('FULL', { path })
    }
    const part = Buffer.from(bytes.subarray(0, taken))
    inode.cache = overlay(inode.cache, part, at)
    inode.pending.push({ kind: 'write', at, bytes: part })
    return taken
  }

  truncate(inode: SimulatedInode, bytes: number): void {
    inode.cache = resized(inode.cache, bytes)
    inode.pending.push({ kind: 'truncate', bytes })
  }

  /** Makes the first `count` pending changes durable. */
  sync(inode: SimulatedInode, count = inode.pending.length): void {
    for (const change of inode.pending.splice(0, count)) {
      inode.durable =
        change.kind === 'write'
          ? overlay(inode.durable, change.bytes, change.at)
          : resized(inode.durable, change.bytes)
    }
  }

  /** A sync that fails marks pages clean all the same: they will never be written. */
  loseSync(inode: SimulatedInode): void {
    inode.pending = []
  }

  /**
   * Power loss: the durable image, with each pending sector and entry kept or lost by itself, as
   * `choose` says, or else as the seed does.
   */
  crash(choose?: () => boolean): void {
    const isOrderly = choose === undefined && below(this.#random, 3) === 0
    for (const change of this.#changes) {
      // Often the whole tail of changes is lost, as a journal would; sometimes any subset.
      if (!isOrderly && (choose?.() ?? below(this.#random, 2) === 0)) change.apply(this.#durable)
      else this.#faults.entriesVanished += 1
    }
    this.#changes = []
    for (const inode of new Set([...this.#live.values(), ...this.#durable.values()])) {
      this.#settle(inode, choose)
    }
    this.#live = new Map(this.#durable)
  }

  #settle(inode: SimulatedInode, choose: (() => boolean) | undefined): void {
    // Each crash has its own taste, so that "nearly all lost" and "one hole" both happen.
    const keepOf8 = below(this.#random, 9)
    const keeps = choose ?? ((): boolean => below(this.#random, 8) < keepOf8)
    for (const change of inode.pending) {
      if (change.kind === 'write') this.#tear(inode, change.bytes, change.at, keeps)
      else if (keeps()) inode.durable = resized(inode.durable, change.bytes)
    }
    inode.pending = []
    inode.cache = Buffer.from(inode.durable)
  }

  #tear(inode: SimulatedInode, bytes: Buffer, at: number, keeps: () => boolean): void {
    let [kept, dropped] = [0, 0]
    for (let from = at; from < at + bytes.length;) {
      const to = Math.min(at + bytes.length, (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES)
      if (keeps()) {
        inode.durable = overlay(inode.durable, bytes.subarray(from - at, to - at), from)
        kept += 1
      } else {
        dropped += 1
      }
      from = to
    }
    this.#faults.sectorsKept += kept
    this.#faults.sectorsDropped += dropped
    if (kept > 0 && dropped > 0) this.#faults.writesTorn += 1
  }

  flipBit(path: string, bit: number): void {
    const inode = this.get(path)
    const index = bit >> 3
    for (const content of [inode.cache, inode.durable]) {
      assert(index < content.length, 'the bit is inside the file')
      content[index] = (content[index] ?? 0) ^ (1 << (bit & 7))
    }
    this.#faults.bitsFlipped += 1
  }

  /** Shorter at once, also for a power loss. */
  cut(path: string, bytes: number): void {
    const inode = this.get(path)
    assert(bytes <= inode.cache.length, 'a cut makes a file no longer')
    this.truncate(inode, bytes)
    this.sync(inode)
    this.#faults.filesTruncated += 1
  }

  /** Gone at once, also for a power loss. */
  erase(path: string): void {
    if (this.#live.has(path)) this.#faults.filesRemoved += 1
    this.#live.delete(path)
    this.#durable.delete(path)
  }
}
