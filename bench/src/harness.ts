/**
 * Runs the cases of a benchmark in interleaved rounds, so that a slow minute of the machine hits
 * all of them, and sums up: the middle round counts, the outer ones show the noise.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { Aim, AimResult, Benchmark, Case, Measurement, Round } from './measurement.js'

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

/** The key of an aim that is meant for the operations per second. */
export const OPS_PER_SECOND = 'ops/s'

function judge(aim: Aim, value: number): AimResult {
  const isMet = value >= (aim.least ?? -Infinity) && value <= (aim.most ?? Infinity)
  return { ...aim, value, isMet }
}

interface Origin {
  readonly name: string
  readonly fileSystem: string
  readonly one: Case
  /** True for the peer that the aims of the case are about. */
  readonly isFirst: boolean
}

function sumUp(origin: Origin, rounds: readonly LoadedRound[]): Measurement {
  const { name, fileSystem, one, isFirst } = origin
  const [first] = rounds
  if (first === undefined) throw new Error('a case without a round')
  const perSecond = rounds.map(({ operations, elapsedMs }) => (operations * 1000) / elapsedMs)
  const sorted = perSecond.map(Math.round).toSorted(ascending)
  const latencies = rounds.flatMap(({ latenciesMs }) => latenciesMs).toSorted(ascending)
  const figures: Record<string, number> = {}
  for (const key of Object.keys(first.figures))
    figures[key] = round2(medianOf(rounds.map((round) => round.figures[key] ?? 0)))
  const median = quantile(sorted, 0.5)
  const aims = isFirst ? (one.aims ?? []) : []
  return {
    name,
    case: one.label,
    aims: aims.flatMap((aim) => {
      const value = aim.figure === OPS_PER_SECOND ? median : figures[aim.figure]
      return value === undefined ? [] : [judge(aim, value)]
    }),
    peer: first.peer,
    body: first.body,
    concurrency: first.concurrency,
    durability: first.durability,
    ops: { min: sorted[0] ?? 0, median, max: sorted.at(-1) ?? 0 },
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
  const peers = benchmark.cases.map(() => new Map<string, LoadedRound[]>())
  const kept = new Set<string>()
  const close = await benchmark.open?.(options.directory)
  try {
    for (let round = 1; round <= options.rounds; round += 1)
      for (const [index, one] of benchmark.cases.entries()) {
        if (round > (one.roundsMax ?? round)) continue
        options.onProgress(`round ${round} of ${options.rounds}: ${one.label}`)
        const isKept = one.keepsDirectory === true
        const directory = join(options.directory, `${isKept ? 'kept' : round}-${index}`)
        if (isKept) kept.add(directory)
        for (const result of await runRound(one, directory, options.roundMs, round === 1)) {
          const loaded = { ...result, load: loadavg()[0] ?? 0 }
          const rounds = peers[index]?.get(result.peer) ?? []
          peers[index]?.set(result.peer, [...rounds, loaded])
        }
      }
  } finally {
    await close?.()
    for (const directory of kept) rmSync(directory, { recursive: true, force: true })
  }
  return benchmark.cases.flatMap((one, index) =>
    [...(peers[index]?.values() ?? [])].map((rounds, peer) =>
      sumUp({ name: benchmark.name, fileSystem, one, isFirst: peer === 0 }, rounds),
    ),
  )
}

async function runRound(
  one: Case,
  directory: string,
  roundMs: number,
  isFirst: boolean,
): Promise<readonly Round[]> {
  const isKept = one.keepsDirectory === true
  if (!isKept || isFirst) rmSync(directory, { recursive: true, force: true })
  try {
    return await one.run(directory, roundMs)
  } finally {
    if (!isKept) rmSync(directory, { recursive: true, force: true })
  }
}
