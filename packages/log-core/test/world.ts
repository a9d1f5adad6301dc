/** A simulated machine for the tests: its time, its disk, and a process that opens logs on it. */
import { bytesDraft, type Draft, type LogRecord } from '@sagalog/kernel'
import { type NodeClock, seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import type { Disk, DiskFile, OpenOptions } from '@sagalog/kernel'
import { type Log, type LogOptions, openLog } from '../src/index.js'
import { simulatedDisk } from '../src/testing/index.js'

export const DIRECTORY = '/log'

export interface Process {
  readonly clock: NodeClock
  readonly disk: Disk
  open(options?: Partial<LogOptions>): Promise<Log>
}

export function world(seed: number) {
  const random = seededRandom(seed)
  const time = simulatedTime(random.fork('time'))
  const disk = simulatedDisk({ time, random })

  function start(): Process {
    const clock = time.nodeClock()
    const attached = disk.attach(clock)
    return {
      clock,
      disk: attached,
      open: (options = {}) =>
        openLog({ disk: attached, clock, directory: DIRECTORY, segmentBytes: 4096, ...options }),
    }
  }
  /** Lets time pass until the promise has settled. */
  async function drive<T>(promise: Promise<T>, withinMs = 60_000): Promise<T> {
    let isDone = false
    promise.then(
      () => (isDone = true),
      () => (isDone = true),
    )
    await time.run({ untilMs: time.nowMs() + withinMs, isDone: () => isDone })
    if (!isDone) throw new Error(`not settled after ${withinMs} simulated ms`)
    return promise
  }
  async function pass(ms: number): Promise<void> {
    await time.run({ untilMs: time.nowMs() + ms })
  }
  return { random, time, disk, start, drive, pass }
}
/** A disk that counts its reads. */
export function countingReads(disk: Disk) {
  const counting = {
    reads: 0,
    disk: {
      ...disk,
      async open(path: string, options: OpenOptions): Promise<DiskFile> {
        const file = await disk.open(path, options)
        const read = (into: Uint8Array, at: number): Promise<number> => {
          counting.reads += 1
          return file.read(into, at)
        }
        // What the file counts is read through to it.
        return Object.create(file, { read: { value: read } }) as DiskFile
      },
    },
  }
  return counting
}

/** True when everything is run that there is time for. */
export const isFullRun = process.env['SAGALOG_FULL'] === '1'

/** A property of the full run ends after this long, however much it has seen. */
const FULL_MS = 20_000

/**
 * How often a property runs; SEED replays one run, SAGALOG_RUNS asks for more, and with
 * SAGALOG_SHRINK=0 the first failure is told as it is.
 */
export function runs(quick: number, full: number) {
  const numRuns = Number(process.env['SAGALOG_RUNS'] ?? (isFullRun ? full : quick))
  const endOnFailure = process.env['SAGALOG_SHRINK'] === '0'
  const seed = process.env['SEED']
  return {
    numRuns,
    endOnFailure,
    ...(isFullRun ? { interruptAfterTimeLimit: FULL_MS, markInterruptAsFailure: false } : {}),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
  }
}

export type World = ReturnType<typeof world>

export const draft = (text: string | Buffer): Draft =>
  bytesDraft('message', typeof text === 'string' ? Buffer.from(text) : text)

export const textOf = (record: LogRecord): string =>
  record.source.toString('latin1', record.start, record.end)

/** Appends, waiting for room as a caller does. */
export async function appendSoon(log: Log, drafts: readonly Draft[]) {
  for (;;) {
    const appended = log.append(drafts)
    if (typeof appended === 'object') return appended
    await new Promise<void>((resolve) => {
      const remove = log.onRoom(() => {
        remove()
        resolve()
      })
    })
  }
}

export async function readAll(log: Log, from = log.start): Promise<string[]> {
  const texts: string[] = []
  for await (const records of log.scan(from)) texts.push(...records.map(textOf))
  return texts
}
