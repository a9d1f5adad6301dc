/**
 * Reads a log from start to end, from the files: records that were verified, and ranges of frames
 * as they are stored. The bare loop reads the same files in blocks and looks at nothing.
 */
import { bytesDraft } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { type Log, openLog } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { bareReads } from './bare-loop.js'
import { scaled, segmentBytesFor } from './log-core-scale.js'
import type { Case, Round } from './measurement.js'

const BODY_BYTES = 1024
const BLOCK_BYTES = 256 << 10
const MIB = 1 << 20
const GIB = 1 << 30

function openAt(directory: string): Promise<Log> {
  // Next to nothing in memory: everything comes from the files.
  return openLog({
    disk: nodeDisk(),
    clock: nodeClock(),
    directory,
    durability: 'os',
    cacheBytes: 0,
  })
}

/** Fills the log up to `bytes`, one record in each frame or many. */
async function fill(
  directory: string,
  { bytes, frameRecords, segmentBytes }: Record<'bytes' | 'frameRecords' | 'segmentBytes', number>,
): Promise<void> {
  const log = await openLog({
    disk: nodeDisk(),
    clock: nodeClock(),
    directory,
    durability: 'os',
    segmentBytes,
  })
  const body = Buffer.alloc(BODY_BYTES, 0x61)
  const drafts = Array.from({ length: frameRecords }, () => bytesDraft('message', body))
  const write = async (): Promise<void> => {
    while (log.watermark('memory') - log.start < bytes) await log.write(drafts)
  }
  await Promise.all(Array.from({ length: 16 }, write))
  await log.close()
}

interface ReadSum {
  readonly records: number
  readonly bytes: number
  readonly elapsedMs: number
}

async function readRecords(log: Log): Promise<ReadSum> {
  const startMs = performance.now()
  let [records, bytes] = [0, 0]
  for await (const slice of log.scan(log.start)) {
    records += slice.length
    for (const record of slice) bytes += record.end - record.start
  }
  return { records, bytes, elapsedMs: performance.now() - startMs }
}

async function readRanges(log: Log, verify: boolean): Promise<ReadSum> {
  const startMs = performance.now()
  let [records, bytes] = [0, 0]
  for (let at = log.start; ;) {
    const range = await log.readFrames(at, { verify })
    if (range.bytes.length === 0) break
    at = range.next
    records += 1
    bytes += range.bytes.length
  }
  return { records, bytes, elapsedMs: performance.now() - startMs }
}

function roundOf(peer: string, sum: ReadSum): Round {
  return {
    peer,
    body: BODY_BYTES,
    concurrency: 1,
    durability: 'os',
    operations: sum.records,
    elapsedMs: sum.elapsedMs,
    latenciesMs: [],
    earlyReplies: 0,
    figures: { gibPerSecond: (sum.bytes * 1000) / sum.elapsedMs / GIB },
  }
}

async function measure(
  directory: string,
  durationMs: number,
  frameRecords: number,
): Promise<readonly Round[]> {
  const path = join(directory, 'log')
  const bytes = scaled(256, durationMs) * MIB
  await fill(path, { bytes, frameRecords, segmentBytes: segmentBytesFor(durationMs) })
  const files = readdirSync(path).filter((name) => name.endsWith('.seg'))
  const paths = files.map((name) => join(path, name))
  const log = await openAt(path)
  const rounds = [roundOf('sagalog', await readRecords(log))]
  rounds.push(roundOf('ranges, verified', await readRanges(log, true)))
  rounds.push(roundOf('ranges, as they are', await readRanges(log, false)))
  const bare = await bareReads(paths, BLOCK_BYTES)
  rounds.push(
    roundOf('bare loop', { records: bare.calls, bytes: bare.bytes, elapsedMs: bare.elapsedMs }),
  )
  await log.close()
  return rounds
}

export const readCases: readonly Case[] = [1, 16].map((frameRecords) => ({
  label: `verified read from start to end, 1 KiB records, ${frameRecords} in a frame`,
  run: (directory, durationMs) => measure(directory, durationMs, frameRecords),
  aims: [{ kind: 'aim', figure: 'gibPerSecond', unit: 'GiB/s', least: 1 }],
}))
