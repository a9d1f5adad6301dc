/**
 * What the length of a log must not cost: opening it after a kill and after a close, memory while
 * it grows, and an append when there are many segments.
 */
import { bytesDraft } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { type Log, openLog } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scaled, segmentBytesFor } from './log-core-scale.js'
import type { Aim, Case, Round } from './measurement.js'

const WRITER = fileURLToPath(new URL('../dist/log-core-writer.js', import.meta.url))
const MIB = 1 << 20
interface Filling {
  readonly directory: string
  readonly records: number
  readonly bodyBytes: number
  readonly frameRecords: number
  readonly segmentBytes: number
  readonly end: 'kill' | 'close' | 'memory'
}

/** Fills a log in a process of its own; gives what it printed. */
function fillBy({ directory, end, ...numbers }: Filling): string {
  const { records, bodyBytes, frameRecords, segmentBytes } = numbers
  const sizes = [records, bodyBytes, frameRecords, segmentBytes].map(String)
  const args = ['--expose-gc', WRITER, directory, ...sizes, end]
  const { stdout, stderr, signal, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const isExpected = end === 'kill' ? signal === 'SIGKILL' : status === 0
  if (!isExpected) throw new Error(`the writer ended with ${signal ?? status}: ${stderr}`)
  return stdout
}

const openAt = (directory: string): Promise<Log> =>
  openLog({ disk: nodeDisk(), clock: nodeClock(), directory, durability: 'os' })

async function timedOpen(directory: string): Promise<{ log: Log; elapsedMs: number }> {
  const startMs = performance.now()
  const log = await openAt(directory)
  return { log, elapsedMs: performance.now() - startMs }
}

const nothingMore = { latenciesMs: [], earlyReplies: 0, body: 1024, concurrency: 1 } as const

/** The first round makes the log; each round writes a little, is killed, opens, closes, opens. */
async function measureOpen(
  directory: string,
  bytes: number,
  segmentBytes: number,
): Promise<readonly Round[]> {
  const filling = { directory, bodyBytes: 1024, frameRecords: 1, segmentBytes }
  // A record of 1 KiB takes a frame of 1,080 bytes.
  const records = existsSync(directory) ? 1000 : Math.ceil(bytes / 1080)
  fillBy({ ...filling, records, end: 'kill' })
  const unclean = await timedOpen(directory)
  const { report } = unclean.log
  await unclean.log.close()
  const clean = await timedOpen(directory)
  await clean.log.close()
  const figures = {
    uncleanMs: unclean.elapsedMs,
    cleanMs: clean.elapsedMs,
    logMib: (report.end - report.start) / MIB,
    segments: report.segments,
    ambiguousBytes: report.ambiguousBytes,
  }
  const round = { ...nothingMore, peer: 'sagalog', durability: 'os' as const, figures }
  return [{ ...round, operations: 1, elapsedMs: unclean.elapsedMs }]
}

const CLEAN_AIM: Aim = { kind: 'aim', figure: 'cleanMs', unit: 'ms after a close', most: 200 }

/** In segments of 64 MiB, or nearly full in a single one. */
function openCase(label: string, isOne: boolean): Case {
  return {
    label,
    keepsDirectory: true,
    run(directory, durationMs) {
      const mib = scaled(1024, durationMs)
      const bytes = isOne ? mib * 0.95 * MIB : mib * MIB
      const segmentBytes = isOne ? mib * MIB : segmentBytesFor(durationMs)
      return measureOpen(join(directory, 'log'), bytes, segmentBytes)
    },
    // What a crash may have torn is read through, and a segment is the least that it is in.
    aims: [
      { kind: 'aim', figure: 'uncleanMs', unit: 'ms after a kill', most: 2000 },
      ...(isOne ? [] : [CLEAN_AIM]),
    ],
  }
}

const GROWTH_RECORDS = 10_000_000

function measureGrowth(directory: string, durationMs: number): Round {
  const records = scaled(GROWTH_RECORDS, durationMs)
  const sizes = { bodyBytes: 128, frameRecords: 100, segmentBytes: segmentBytesFor(durationMs) }
  const printed = fillBy({ directory: join(directory, 'log'), records, ...sizes, end: 'memory' })
  const { elapsedMs, ...figures } = JSON.parse(printed) as Record<string, number>
  return {
    ...nothingMore,
    body: 128,
    peer: 'sagalog',
    durability: 'os',
    operations: records,
    elapsedMs: elapsedMs ?? 0,
    figures,
  }
}

const SEGMENT_COUNTS = [1, 10, 100, 1000] as const
const SMALL_SEGMENT_BYTES = 256 << 10
/** Appends of one record between two looks at the clock; all looks fit one segment. */
const TIMED_APPENDS = 64
const LOOKS = 20

/** Microseconds of one append, the least of the looks: what others take is not its cost. */
async function appendCost(log: Log): Promise<number> {
  const drafts = [bytesDraft('message', Buffer.alloc(128, 0x61))]
  let least = Infinity
  for (let looks = 0; looks < LOOKS; looks += 1) {
    await log.waitFor(log.watermark('memory'), 'os')
    const startMs = performance.now()
    for (let appends = 0; appends < TIMED_APPENDS; appends += 1) log.append(drafts)
    least = Math.min(least, ((performance.now() - startMs) * 1000) / TIMED_APPENDS)
  }
  return least
}

/** Appends until the log has just begun its segment of that number. */
async function growTo(log: Log, segments: number): Promise<void> {
  const drafts = [bytesDraft('message', Buffer.alloc(SMALL_SEGMENT_BYTES / 16, 0x61))]
  while (log.watermark('memory') / SMALL_SEGMENT_BYTES < segments - 1) await log.write(drafts)
}

function openSmall(directory: string): Promise<Log> {
  return openLog({
    disk: nodeDisk(),
    clock: nodeClock(),
    directory,
    durability: 'os',
    segmentBytes: SMALL_SEGMENT_BYTES,
  })
}

async function measureSegments(directory: string, durationMs: number): Promise<Round> {
  const warm = await openSmall(join(directory, 'warm'))
  await appendCost(warm)
  await warm.close()
  const log = await openSmall(join(directory, 'log'))
  const figures: Record<string, number> = {}
  const startMs = performance.now()
  const most = Math.max(10, scaled(1000, durationMs))
  const counts = SEGMENT_COUNTS.filter((count) => count <= most)
  for (const count of counts) {
    await growTo(log, count)
    figures[`at${count}Us`] = await appendCost(log)
  }
  const costs = counts.map((count) => figures[`at${count}Us`] ?? 0)
  figures['growth'] = (costs.at(-1) ?? 0) / (costs[0] ?? 1)
  const elapsedMs = performance.now() - startMs
  await log.close()
  const operations = counts.at(-1) ?? 1
  const round = { ...nothingMore, body: 128, peer: 'sagalog', durability: 'os' as const }
  return { ...round, operations, elapsedMs, figures }
}

export const lengthCases: readonly Case[] = [
  openCase('open a log of 1 GiB in segments of 64 MiB', false),
  openCase('open a log of 1 GiB in one segment', true),
  {
    label: 'memory, 10,000,000 records of 128 B',
    roundsMax: 1,
    run: (directory, durationMs) => Promise.resolve([measureGrowth(directory, durationMs)]),
    aims: [{ kind: 'must', figure: 'rssGrowthMib', unit: 'MiB over an empty log', most: 95 }],
  },
  {
    label: 'cost of an append at 1, 10, 100, 1,000 segments',
    run: async (directory, durationMs) => [await measureSegments(directory, durationMs)],
    aims: [{ kind: 'must', figure: 'growth', unit: 'times the cost at one segment', most: 1.5 }],
  },
]
