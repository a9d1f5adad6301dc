/**
 * Appends to a log in this process: awaited by many callers or by one, and in batches to the page
 * cache. Beside each stands the bare loop, which writes what the log wrote, half of it before and
 * half after, so that a disk that changes its mood changes it for both.
 */
import { bytesDraft, type Disk, type Draft } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { type Log, openLog } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'
import { join } from 'node:path'
import { type BareRun, bareWrites, bareWritesSync, prepareFile } from './bare-loop.js'
import { segmentBytesFor } from './log-core-scale.js'
import type { Case, CaseName, Round } from './measurement.js'

const BODY_BYTES = 128
/** One caller of so many keeps the time of its appends: a clock is dearer than an append. */
const TIMED_ONE_IN = 16

export const bodyOf = (bytes: number): Buffer => Buffer.alloc(bytes, 0x61)

/** The disk of the machine, with a list of the sizes of all writes to files that exist. */
function recordingDisk(sizes: number[]): Disk {
  const disk = nodeDisk()
  return {
    ...disk,
    async open(path, options) {
      const file = await disk.open(path, options)
      const write = (bytes: Uint8Array, at: number): Promise<number> => {
        sizes.push(bytes.length)
        return file.write(bytes, at)
      }
      return Object.create(file, { write: { value: write } }) as typeof file
    },
  }
}

interface Appends {
  operations: number
  elapsedMs: number
  latenciesMs: number[]
  early: number
}

/** Callers that each append `drafts` and wait for it, until the time is up. */
async function appendFor(
  log: Log,
  drafts: readonly Draft[],
  { callers, durationMs, level }: { callers: number; durationMs: number; level: 'sync' | 'os' },
): Promise<Appends> {
  const latenciesMs: number[] = []
  let [operations, early] = [0, 0]
  const over = new AbortController()
  const startMs = performance.now()
  const timed = async (): Promise<void> => {
    for (let nowMs = startMs; !over.signal.aborted;) {
      const outcome = await log.write(drafts)
      const endMs = performance.now()
      latenciesMs.push(endMs - nowMs)
      nowMs = endMs
      if (endMs - startMs >= durationMs) over.abort()
      // The audit, of every acknowledgement that is timed.
      if (typeof outcome === 'string' || !log.isSafe(outcome.end, level)) early += 1
      operations += 1
    }
  }
  const untimed = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await log.write(drafts)
      operations += 1
    }
  }
  const loops = Array.from({ length: callers }, (_, n) =>
    n % TIMED_ONE_IN === 0 ? timed() : untimed(),
  )
  await Promise.all(loops)
  return { operations, elapsedMs: performance.now() - startMs, latenciesMs, early }
}

interface AppendCase {
  readonly callers: number
  readonly batch: number
  readonly durability: 'sync' | 'os'
}

interface Measured {
  readonly round: Round
  /** Of the writes that the log made in the round. */
  readonly sizes: readonly number[]
}

async function measure(
  { callers, batch, durability }: AppendCase,
  directory: string,
  { durationMs, segmentBytes }: { durationMs: number; segmentBytes: number },
): Promise<Measured> {
  const sizes: number[] = []
  const log = await openLog({
    disk: recordingDisk(sizes),
    clock: nodeClock(),
    directory,
    durability,
    segmentBytes,
  })
  const drafts = Array.from({ length: batch }, () => bytesDraft('message', bodyOf(BODY_BYTES)))
  const asked = { callers, level: durability }
  await appendFor(log, drafts, { ...asked, durationMs: durationMs / 5 })
  const before = log.stats
  sizes.length = 0
  const done = await appendFor(log, drafts, { ...asked, durationMs })
  const { stats } = log
  const written = [...sizes]
  await log.close()
  const writes = Math.max(1, stats.writes - before.writes)
  const records = Math.max(1, stats.records - before.records)
  const round = {
    ...nameOf('sagalog', { callers, batch, durability }),
    operations: done.operations,
    elapsedMs: done.elapsedMs,
    latenciesMs: done.latenciesMs,
    earlyReplies: done.early,
    figures: {
      syncsPerSecond: ((stats.syncs - before.syncs) * 1000) / done.elapsedMs,
      bytesPerRecord: (stats.bytes - before.bytes) / records,
      recordsPerWrite: records / writes,
      recordsPerSecond: (records * 1000) / done.elapsedMs,
    },
  }
  return { round, sizes: written }
}

function nameOf(peer: string, { callers, durability }: AppendCase): CaseName {
  return { peer, body: BODY_BYTES, concurrency: callers, durability }
}

/** A bare run as a round: its operations are those that its bytes would have carried. */
function bareRound(peer: string, one: AppendCase, ours: Round, runs: readonly BareRun[]): Round {
  const sum = (of: (run: BareRun) => number): number =>
    runs.reduce((total, run) => total + of(run), 0)
  const bytesPerRecord = ours.figures['bytesPerRecord'] ?? 1
  const elapsedMs = sum((run) => run.elapsedMs)
  const records = sum((run) => run.bytes) / bytesPerRecord
  return {
    ...nameOf(peer, one),
    operations: records / one.batch,
    elapsedMs,
    latenciesMs: runs.flatMap(({ latenciesMs }) => latenciesMs),
    earlyReplies: 0,
    figures: {
      syncsPerSecond: one.durability === 'sync' ? (sum((run) => run.calls) * 1000) / elapsedMs : 0,
      bytesPerRecord,
      recordsPerWrite: records / sum((run) => run.calls),
      recordsPerSecond: (records * 1000) / elapsedMs,
    },
  }
}

const perSecond = ({ operations, elapsedMs }: Round): number => (operations * 1000) / elapsedMs

async function runCase(
  one: AppendCase,
  directory: string,
  durationMs: number,
): Promise<readonly Round[]> {
  const path = join(directory, 'bare')
  const segmentBytes = segmentBytesFor(durationMs)
  prepareFile(path, segmentBytes)
  const bare = {
    path,
    fileBytes: segmentBytes,
    isDurable: one.durability === 'sync',
    durationMs: durationMs / 4,
  }
  // The sizes of a first, short round, for the half that comes before.
  const first = await measure(one, join(directory, 'first'), {
    durationMs: durationMs / 5,
    segmentBytes,
  })
  const before = await bareWrites({ ...bare, sizes: first.sizes })
  const { round, sizes } = await measure(one, join(directory, 'log'), { durationMs, segmentBytes })
  const after = await bareWrites({ ...bare, sizes })
  const peers = [bareRound('bare loop', one, round, [before, after])]
  if (one.callers === 1 && one.durability === 'sync') {
    const runs = [bareWritesSync({ ...bare, sizes }), bareWritesSync({ ...bare, sizes })]
    peers.push(bareRound('bare loop, sync calls', one, round, runs))
  }
  const [yardstick = round] = peers
  const ratio = perSecond(round) / perSecond(yardstick)
  return [{ ...round, figures: { ...round.figures, ratio } }, ...peers]
}

export const appendCases: readonly Case[] = [
  {
    label: `durable append, ${BODY_BYTES} B, 1,024 callers, each awaited`,
    run: (directory, durationMs) =>
      runCase({ callers: 1024, batch: 1, durability: 'sync' }, directory, durationMs),
    aims: [{ kind: 'aim', figure: 'ratio', unit: 'of the bare loop', least: 0.6 }],
  },
  {
    label: `durable append, ${BODY_BYTES} B, 1 caller, awaited`,
    run: (directory, durationMs) =>
      runCase({ callers: 1, batch: 1, durability: 'sync' }, directory, durationMs),
    aims: [{ kind: 'aim', figure: 'ratio', unit: 'of the bare loop', least: 0.8 }],
  },
  {
    label: `os durability, batches of 100 x ${BODY_BYTES} B, 16 callers`,
    run: (directory, durationMs) =>
      runCase({ callers: 16, batch: 100, durability: 'os' }, directory, durationMs),
    aims: [{ kind: 'aim', figure: 'recordsPerSecond', unit: 'records/s', least: 2_000_000 }],
  },
]
