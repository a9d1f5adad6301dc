/**
 * The yardstick of the log: the same asynchronous calls on the same kind of file with the same
 * sizes as the log made, and nothing else. No framing, no checksum, no promise.
 */
import * as fs from 'node:fs'
import { dirname } from 'node:path'

export interface BareRun {
  readonly calls: number
  readonly bytes: number
  readonly elapsedMs: number
  readonly latenciesMs: readonly number[]
}

const { O_RDWR, O_RDONLY, O_DSYNC } = fs.constants

/** A file of zeros on the disk; what is written over it changes no metadata. */
export function prepareFile(path: string, bytes: number): void {
  fs.mkdirSync(dirname(path), { recursive: true })
  const fd = fs.openSync(path, 'w')
  const zeros = Buffer.alloc(1 << 20)
  for (let at = 0; at < bytes; at += zeros.length) fs.writeSync(fd, zeros, 0, zeros.length, at)
  fs.fsyncSync(fd)
  fs.closeSync(fd)
}

/** An empty file: each write makes it longer. */
export function createFile(path: string): void {
  fs.mkdirSync(dirname(path), { recursive: true })
  fs.closeSync(fs.openSync(path, 'w'))
}

/** How one size after the other is written: durable by itself, or into the page cache. */
export interface BareWrites {
  /** Prepared, of so many bytes; written from the start anew when it ends. */
  readonly path: string
  readonly fileBytes: number
  /** Sizes of the writes, taken in turn. */
  readonly sizes: readonly number[]
  readonly isDurable: boolean
  /** Durable by a sync after each write, instead of by the write itself. */
  readonly syncsAfter?: boolean
  readonly durationMs: number
}

function openBare({ path, isDurable, syncsAfter }: BareWrites): number {
  return fs.openSync(path, isDurable && syncsAfter !== true ? O_RDWR | O_DSYNC : O_RDWR)
}

/** Writes over a prepared file, one call in flight, each started by the callback of the last. */
export async function bareWrites(options: BareWrites): Promise<BareRun> {
  const { sizes, durationMs, fileBytes } = options
  const fd = openBare(options)
  const source = Buffer.alloc(Math.max(...sizes), 0x61)
  const latenciesMs: number[] = []
  let [at, bytes, calls] = [0, 0, 0]
  const startMs = performance.now()
  let nowMs = startMs
  await new Promise<void>((resolve, reject) => {
    const next = (): void => {
      const size = sizes[calls % sizes.length] ?? 0
      if (at + size > fileBytes) at = 0
      const done = (error: Error | null): void => {
        if (error) return reject(error)
        const endMs = performance.now()
        latenciesMs.push(endMs - nowMs)
        nowMs = endMs
        calls += 1
        at += size
        bytes += size
        if (nowMs - startMs < durationMs) next()
        else resolve()
      }
      fs.write(fd, source, 0, size, at, (error) => {
        if (error !== null || options.syncsAfter !== true) done(error)
        else fs.fdatasync(fd, done)
      })
    }
    next()
  })
  fs.closeSync(fd)
  return { calls, bytes, elapsedMs: nowMs - startMs, latenciesMs }
}

/** The same in synchronous calls, which hold the event loop for as long as the disk takes. */
export function bareWritesSync(options: BareWrites): BareRun {
  const { sizes, durationMs, fileBytes } = options
  const fd = openBare(options)
  const source = Buffer.alloc(Math.max(...sizes), 0x61)
  const latenciesMs: number[] = []
  let [at, bytes, calls] = [0, 0, 0]
  const startMs = performance.now()
  let nowMs = startMs
  while (nowMs - startMs < durationMs) {
    const size = sizes[calls % sizes.length] ?? 0
    if (at + size > fileBytes) at = 0
    fs.writeSync(fd, source, 0, size, at)
    if (options.syncsAfter === true) fs.fdatasyncSync(fd)
    const endMs = performance.now()
    latenciesMs.push(endMs - nowMs)
    nowMs = endMs
    calls += 1
    at += size
    bytes += size
  }
  fs.closeSync(fd)
  return { calls, bytes, elapsedMs: nowMs - startMs, latenciesMs }
}

/** Reads files from start to end in blocks, one call in flight. */
export async function bareReads(paths: readonly string[], blockBytes: number): Promise<BareRun> {
  const block = Buffer.alloc(blockBytes)
  const latenciesMs: number[] = []
  let [bytes, calls] = [0, 0]
  const startMs = performance.now()
  let nowMs = startMs
  for (const path of paths) {
    const fd = fs.openSync(path, O_RDONLY)
    await new Promise<void>((resolve, reject) => {
      const next = (at: number): void =>
        fs.read(fd, block, 0, blockBytes, at, (error, got) => {
          if (error) return reject(error)
          const endMs = performance.now()
          latenciesMs.push(endMs - nowMs)
          nowMs = endMs
          calls += 1
          bytes += got
          if (got === 0) resolve()
          else next(at + got)
        })
      next(0)
    })
    fs.closeSync(fd)
  }
  return { calls, bytes, elapsedMs: nowMs - startMs, latenciesMs }
}
