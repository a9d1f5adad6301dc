/**
 * The ways to make a write durable, without anything of ours: which one the log uses rests on this.
 * See docs/decisions/0006-how-a-write-becomes-durable.md.
 */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type BareRun, bareWrites, type BareWrites, bareWritesSync } from './bare-loop.js'
import { createFile, prepareFile } from './bare-loop.js'
import { segmentBytesFor } from './log-core-scale.js'
import { logCoreReport } from './log-core-report.js'
import type { Benchmark, Case, Round } from './measurement.js'

const WORKER = fileURLToPath(new URL('../dist/sync-worker.js', import.meta.url))
/** A record of 128 B in its frame, a hundred of them, a thousand. */
const SIZES = [184, 18_400, 188_416] as const

/** In every Node that we support, and not yet in the types of its language level. */
const { waitAsync } = Atomics as unknown as {
  waitAsync(words: Int32Array, index: number, value: number): { value: Promise<string> | string }
}

async function workerWrites({ path, sizes, fileBytes, durationMs }: BareWrites): Promise<BareRun> {
  const size = Math.max(...sizes)
  const [bytes, shared] = [new SharedArrayBuffer(size), new SharedArrayBuffer(16)]
  const control = new Int32Array(shared)
  const worker = new Worker(WORKER, { workerData: { path, bytes, control: shared } })
  await new Promise((resolve) => worker.once('online', resolve))
  const tell = (length: number, at: number): void => {
    Atomics.store(control, 1, length)
    Atomics.store(control, 2, at)
    Atomics.store(control, 3, 0)
    Atomics.store(control, 0, 1)
    Atomics.notify(control, 0)
  }
  const latenciesMs: number[] = []
  let at = 0
  const startMs = performance.now()
  let nowMs = startMs
  while (nowMs - startMs < durationMs) {
    if (at + size > fileBytes) at = 0
    tell(size, at)
    await waitAsync(control, 3, 0).value
    const endMs = performance.now()
    latenciesMs.push(endMs - nowMs)
    nowMs = endMs
    at += size
  }
  tell(-1, 0)
  await new Promise((resolve) => worker.once('exit', resolve))
  const calls = latenciesMs.length
  return { calls, bytes: calls * size, elapsedMs: nowMs - startMs, latenciesMs }
}

interface Method {
  readonly peer: string
  /** A file of zeros is there before, else the file grows. */
  readonly isPrepared: boolean
  readonly run: (writes: BareWrites) => BareRun | Promise<BareRun>
}

const METHODS: readonly Method[] = [
  { peer: 'O_DSYNC', isPrepared: true, run: bareWrites },
  {
    peer: 'write, fdatasync',
    isPrepared: true,
    run: (writes) => bareWrites({ ...writes, syncsAfter: true }),
  },
  { peer: 'O_DSYNC, growing', isPrepared: false, run: bareWrites },
  {
    peer: 'fdatasync, growing',
    isPrepared: false,
    run: (writes) => bareWrites({ ...writes, syncsAfter: true }),
  },
  { peer: 'O_DSYNC, sync calls', isPrepared: true, run: bareWritesSync },
  { peer: 'O_DSYNC, worker', isPrepared: true, run: workerWrites },
]

async function measure(directory: string, durationMs: number, size: number): Promise<Round[]> {
  const rounds: Round[] = []
  const fileBytes = segmentBytesFor(durationMs)
  for (const { peer, isPrepared, run } of METHODS) {
    const path = join(directory, 'bare')
    if (isPrepared) prepareFile(path, fileBytes)
    else createFile(path)
    const writes = { path, fileBytes, sizes: [size], isDurable: true, durationMs: durationMs / 2 }
    const { calls, elapsedMs, latenciesMs } = await run(writes)
    rounds.push({
      peer,
      body: size,
      concurrency: 1,
      durability: 'sync',
      operations: calls,
      elapsedMs,
      latenciesMs,
      earlyReplies: 0,
      figures: { syncsPerSecond: (calls * 1000) / elapsedMs, worstMs: Math.max(...latenciesMs) },
    })
  }
  return rounds
}

export const syncMethods: Benchmark = {
  name: 'sync-methods',
  summary: 'The ways to make a write durable: O_DSYNC, fdatasync, sync calls, a worker.',
  cases: SIZES.map((size): Case => ({
    label: `durable writes of ${size} B, one after the other`,
    run: (directory, durationMs) => measure(directory, durationMs, size),
  })),
  report: logCoreReport,
}
