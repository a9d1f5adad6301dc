/**
 * A disk that tells how long each durable write and each sync took. It passes on everything as it
 * is, the account of what was synced included; a listener that throws is the program's own failure.
 */
import type { Clock, Disk, DiskFile, OpenOptions } from '@sagalog/kernel'

/** Is told the milliseconds of a write or sync that completed. */
export type OnSync = (ms: number) => void

class MeasuredFile implements DiskFile {
  readonly path: string
  readonly #file: DiskFile
  readonly #timed: <A>(work: Promise<A>) => Promise<A>
  readonly #isEachWrite: boolean

  constructor(file: DiskFile, options: OpenOptions, timed: <A>(work: Promise<A>) => Promise<A>) {
    this.path = file.path
    this.#file = file
    this.#timed = timed
    this.#isEachWrite = options.sync === 'each-write'
  }

  get writtenEnd(): number {
    return this.#file.writtenEnd
  }

  get syncedEnd(): number {
    return this.#file.syncedEnd
  }

  write(bytes: Uint8Array, at: number): Promise<number> {
    const written = this.#file.write(bytes, at)
    return this.#isEachWrite ? this.#timed(written) : written
  }

  sync(): Promise<void> {
    return this.#timed(this.#file.sync())
  }

  read(into: Uint8Array, at: number): Promise<number> {
    return this.#file.read(into, at)
  }

  prepare(bytes: number): Promise<void> {
    return this.#file.prepare(bytes)
  }

  adopt(end: number): Promise<void> {
    return this.#file.adopt(end)
  }

  truncate(bytes: number): Promise<void> {
    return this.#file.truncate(bytes)
  }

  size(): Promise<number> {
    return this.#file.size()
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}

/** Hand it to a broker instead of its disk, to be told how long its writes take to be safe. */
export function measuredDisk(disk: Disk, clock: Clock, onSync: OnSync): Disk {
  const timed = async <A>(work: Promise<A>): Promise<A> => {
    const beganMs = clock.monotonicMs()
    const result = await work
    onSync(clock.monotonicMs() - beganMs)
    return result
  }
  return {
    open: async (path, options) => new MeasuredFile(await disk.open(path, options), options, timed),
    list: (directory) => disk.list(directory),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    lock: (directory) => disk.lock(directory),
  }
}
