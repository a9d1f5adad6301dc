/**
 * Runs the cases of a benchmark in interleaved rounds, so that a slow minute of the machine hits
 * all of them, and sums up: the middle round counts, the outer ones show the noise.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { Benchmark, Measurement, Round } from './measurement.js'

export interface HarnessOptions {
  /** Where the data goes: the disk that is measured. */
  readonly directory: string
  readonly rounds: number
  /** Milliseconds of one round of one case. */
  readonly roundMs: number
  /** Told before each round of each case. */
  readonly onProgress: (line: string) => void
}

/** Linux's numbers of the file systems that people keep data on. */
const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x5846_5342, 'xfs'],
  [0x9123_683e, 'btrfs'],
  [0x0102_1994, 'tmpfs'],
  [0x794c_7630, 'overlayfs'],
  [0x2fc1_2fc1, 'zfs'],
  [0x6969, 'nfs'],
  [0xf2f5_2010, 'f2fs'],
])

/** The name of the file system that holds a directory, or its number. */
export async function fileSystemOf(directory: string): Promise<string> {
  const { type } = await statfs(directory)
  return FILE_SYSTEMS.get(type) ?? `type 0x${type.toString(16)}`
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
}

const ascending = (left: number, right: number): number => left - right
const round2 = (value: number): number => Math.round(value * 100) / 100
const round4 = (value: number): number => Math.round(value * 10_000) / 10_000

function medianOf(values: readonly number[]): number {
  return quantile(values.toSorted(ascending), 0.5)
}

/** A round with the load of the machine when it ended. */
type LoadedRound = Round & { readonly load: number }

function sumUp(name: string, rounds: readonly LoadedRound[], fileSystem: string): Measurement {
  const [first] = rounds
  if (first === undefined) throw new Error('a case without a round')
  const perSecond = rounds.map(({ operations, elapsedMs }) => (operations * 1000) / elapsedMs)
  const sorted = perSecond.map(Math.round).toSorted(ascending)
  const latencies = rounds.flatMap(({ latenciesMs }) => latenciesMs).toSorted(ascending)
  const figures: Record<string, number> = {}
  for (const key of Object.keys(first.figures))
    figures[key] = round2(medianOf(rounds.map((round) => round.figures[key] ?? 0)))
  return {
    name,
    peer: first.peer,
    body: first.body,
    concurrency: first.concurrency,
    durability: first.durability,
    ops: { min: sorted[0] ?? 0, median: quantile(sorted, 0.5), max: sorted.at(-1) ?? 0 },
    p50Ms: round4(quantile(latencies, 0.5)),
    p99Ms: round4(quantile(latencies, 0.99)),
    load: round2(rounds.at(-1)?.load ?? 0),
    earlyReplies: rounds.reduce((sum, { earlyReplies }) => sum + earlyReplies, 0),
    fileSystem,
    figures,
  }
}

/** Runs all rounds of all cases; one measurement for each peer of each case, in order. */
export async function runBenchmark(
  benchmark: Benchmark,
  options: HarnessOptions,
): Promise<readonly Measurement[]> {
  mkdirSync(options.directory, { recursive: true })
  const fileSystem = await fileSystemOf(options.directory)
  const rounds = new Map<string, LoadedRound[]>()
  for (let round = 1; round <= options.rounds; round += 1)
    for (const [index, one] of benchmark.cases.entries()) {
      options.onProgress(`round ${round} of ${options.rounds}: ${one.label}`)
      const directory = join(options.directory, `${round}-${index}`)
      rmSync(directory, { recursive: true, force: true })
      try {
        for (const result of await one.run(directory, options.roundMs)) {
          const key = `${index} ${result.peer}`
          const loaded = { ...result, load: loadavg()[0] ?? 0 }
          rounds.set(key, [...(rounds.get(key) ?? []), loaded])
        }
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    }
  return [...rounds.values()].map((results) => sumUp(benchmark.name, results, fileSystem))
}
