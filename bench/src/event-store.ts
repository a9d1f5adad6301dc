/**
 * The event store: appends with expected versions beside Emmett's, reads with codecs, aggregates
 * with and without a snapshot, a projection catching up, and many streams.
 */
import {
  createRepository,
  decider,
  memoryRows,
  projection,
  runProjection,
} from '@sagalog/event-store'
import { appendOf } from '@sagalog/event-store'
import { nodeClock } from '@sagalog/kernel/node'
import * as O from 'fp-ts/lib/Option.js'
import * as t from 'io-ts'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import {
  absentPeers,
  emmettInMemory,
  emmettPostgreSQL,
  happened,
  Measured,
  type Peer,
  sagalogPeer,
  type SagalogPeer,
} from './event-store-peers.js'
import { OPS_PER_SECOND } from './harness.js'
import type { Benchmark, Case, Round } from './measurement.js'
import { reportOf } from './report.js'

const CALLERS = 64
const BODY = 100

interface Spent {
  readonly operations: number
  readonly elapsedMs: number
  readonly latenciesMs: readonly number[]
}

/** Repeats `work` in `callers` loops until the time is up. */
async function repeat(
  work: (caller: number) => Promise<number>,
  callers: number,
  durationMs: number,
): Promise<Spent> {
  const latenciesMs: number[] = []
  const startMs = performance.now()
  let operations = 0
  const loop = async (_: unknown, caller: number): Promise<void> => {
    for (let nowMs = startMs; nowMs - startMs < durationMs;) {
      const beforeMs = performance.now()
      const done = await work(caller)
      // Not `+=` over the await: other callers add meanwhile.
      operations += done
      nowMs = performance.now()
      latenciesMs.push(nowMs - beforeMs)
    }
  }
  await Promise.all(Array.from({ length: callers }, loop))
  return { operations, elapsedMs: performance.now() - startMs, latenciesMs }
}

const roundOf = (
  { durability, peer }: Pick<Peer, 'peer' | 'durability'>,
  spent: Spent,
  more: { concurrency?: number; earlyReplies?: number; figures?: Round['figures'] } = {},
): Round => ({
  peer,
  durability,
  body: BODY,
  concurrency: more.concurrency ?? 1,
  earlyReplies: more.earlyReplies ?? 0,
  figures: more.figures ?? {},
  ...spent,
})

/** Each caller owns a stream and knows its version, as a decider behind a queue does. */
async function appends(peer: Peer, durationMs: number): Promise<Round> {
  const versions = new Array<number>(CALLERS).fill(0)
  const run = process.hrtime.bigint()
  const append = async (caller: number): Promise<number> => {
    await peer.append(`${run}-${caller}`, versions[caller] ?? 0)
    versions[caller] = (versions[caller] ?? 0) + 1
    return 1
  }
  await repeat(append, CALLERS, durationMs / 4)
  const spent = await repeat(append, CALLERS, durationMs)
  const round = roundOf(peer, spent, { concurrency: CALLERS, earlyReplies: peer.earlyReplies() })
  await peer.close()
  return round
}

const appending: Case = {
  label: 'append one event with its expected version, 64 callers',
  aims: [{ kind: 'aim', figure: OPS_PER_SECOND, unit: 'appends/s', least: 50_000 }],
  async run(directory, durationMs) {
    const rounds = [await appends(await sagalogPeer(directory), durationMs)]
    const postgres = await emmettPostgreSQL()
    if (postgres !== undefined) rounds.push(await appends(postgres, durationMs))
    rounds.push(await appends(emmettInMemory(), durationMs))
    return rounds
  },
}

/** Fills streams with events, many to a change. */
async function fill(
  { store }: SagalogPeer,
  streams: readonly string[],
  each: number,
  together = 100,
): Promise<void> {
  for (let done = 0; done < each; done += together) {
    const count = Math.min(together, each - done)
    const pending = streams.map((stream) => {
      const events = Array.from({ length: count }, () => happened(stream))
      return store.appendAll([appendOf(Measured, stream, events, { expected: 'any' })])
    })
    await Promise.all(pending)
  }
}

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `s${index}`)

function reading(
  label: string,
  least: number,
  shape: { streams: number; each: number; together: number },
): Case {
  return {
    label,
    aims: [{ kind: 'aim', figure: OPS_PER_SECOND, unit: 'events/s', least }],
    async run(directory, durationMs) {
      const peer = await sagalogPeer(directory, 'os')
      // A tiny run reads little: it shows that the benchmark works.
      const part = Math.min(1, durationMs / 1_000)
      const all = names(Math.max(1, Math.ceil(shape.streams * part)))
      const each = Math.max(1, Math.ceil(shape.each * part))
      await fill(peer, all, each, shape.together)
      let turn = 0
      const spent = await repeat(
        () => peer.read(all[(turn += 1) % all.length] ?? 's0'),
        1,
        durationMs,
      )
      await peer.close()
      return [roundOf(peer, spent)]
    },
  }
}

const Total = decider(Measured, 0)
  .evolve({ Happened: (sum, { amount }) => sum + amount })
  .decide({}, {})

function aggregate(label: string, events: number, most: number, isKept: boolean): Case {
  return {
    label,
    aims: [{ kind: 'aim', figure: 'ms', unit: 'ms', most }],
    async run(directory, durationMs) {
      const peer = await sagalogPeer(directory, 'os')
      const all = names(20)
      await fill(peer, all, events, 25)
      const snapshots = { version: 1, codec: t.number, every: 10 }
      const options = { cacheEntries: 0, ...(isKept ? { snapshots } : {}) }
      const totals = createRepository(peer.store, Total, options)
      let turn = 0
      const load = async (): Promise<number> => {
        await totals.load(all[(turn += 1) % all.length] ?? 's0')
        return 1
      }
      await repeat(load, 1, durationMs / 4)
      const spent = await repeat(load, 1, durationMs)
      const ms = spent.elapsedMs / Math.max(1, spent.operations)
      await peer.close()
      return [roundOf(peer, spent, { figures: { ms } })]
    },
  }
}

const sums = projection({
  name: 'sums',
  version: 1,
  from: [Measured],
  row: t.number,
  on: { Happened: (row, { amount }) => O.some((O.isSome(row) ? row.value : 0) + amount) },
})

const catchingUp: Case = {
  label: 'projection catching up, rows in memory',
  aims: [{ kind: 'aim', figure: OPS_PER_SECOND, unit: 'events/s', least: 200_000 }],
  async run(directory, durationMs) {
    const peer = await sagalogPeer(directory, 'os')
    const each = Math.max(1, Math.round(durationMs / 5))
    await fill(peer, names(1_000), each, 20)
    const startMs = performance.now()
    const projector = runProjection(peer.store, sums, { rows: memoryRows(), clock: nodeClock() })
    await projector.whenCaughtUp()
    const elapsedMs = performance.now() - startMs
    await projector.close()
    await peer.close()
    return [roundOf(peer, { operations: each * 1_000, elapsedMs, latenciesMs: [elapsedMs] })]
  },
}

/** Bytes in use once what is not has been collected. */
function usedBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Milliseconds from opening what is there until it serves. */
async function startMsOf(directory: string): Promise<number> {
  const openedMs = performance.now()
  const peer = await sagalogPeer(directory, 'os')
  const tookMs = performance.now() - openedMs
  await peer.close()
  return tookMs
}

const manyStreams: Case = {
  label: 'a million streams of one event: memory and start',
  roundsMax: 1,
  aims: [
    { kind: 'aim', figure: 'MB', unit: 'MB of a million', most: 300 },
    { kind: 'aim', figure: 'startMs', unit: 'ms from a checkpoint', most: 2_000 },
    { kind: 'aim', figure: 'replayMs', unit: 'ms without one', most: 20_000 },
  ],
  async run(directory, durationMs) {
    const count = Math.max(1_000, Math.min(1_000_000, Math.round(durationMs * 1_000)))
    const before = usedBytes()
    const peer = await sagalogPeer(join(directory, 'data'), 'os')
    const startMs = performance.now()
    for (let at = 0; at < count; at += 500) {
      const size = Math.min(500, count - at)
      const appendsOf = Array.from({ length: size }, (_, index) =>
        appendOf(Measured, `stream-${at + index}`, [happened('x')], { expected: 'empty' }),
      )
      await peer.store.appendAll(appendsOf)
    }
    const elapsedMs = performance.now() - startMs
    const bytes = usedBytes() - before
    await peer.close()
    const startTookMs = await startMsOf(join(directory, 'data'))
    for (const name of readdirSync(join(directory, 'data')))
      if (name.endsWith('.ckpt')) rmSync(join(directory, 'data', name))
    const replayMs = await startMsOf(join(directory, 'data'))
    // Bytes of one stream are megabytes of a million.
    const MB = bytes / count
    const figures = { MB, startMs: startTookMs, replayMs, streams: count }
    return [roundOf(peer, { operations: count, elapsedMs, latenciesMs: [elapsedMs] }, { figures })]
  },
}

export const eventStore: Benchmark = {
  name: 'event-store',
  summary: 'appends beside Emmett, reads with codecs, snapshots, projections, many streams',
  cases: [
    appending,
    reading('read with codecs, one stream after the other', 400_000, {
      streams: 10,
      each: 10_000,
      together: 1_000,
    }),
    reading('read with codecs, interleaved over 1,000 streams', 200_000, {
      streams: 1_000,
      each: 100,
      together: 1,
    }),
    aggregate('an aggregate of 100 events, decoded in full', 100, 0.5, false),
    aggregate('the same from a snapshot', 100, 0.05, true),
    catchingUp,
    manyStreams,
  ],
  report(measurements) {
    const aims = measurements.flatMap(({ aims: own, case: label }) =>
      own.map(({ figure, isMet, least, most, unit, value }) => {
        const bound = least === undefined ? `at most ${most}` : `at least ${least}`
        const verdict = isMet ? 'reached' : 'NOT reached'
        return `${verdict}: ${label}, ${figure}: ${value.toFixed(2)} ${unit} (aim: ${bound})`
      }),
    )
    const ours = measurements.find(({ peer }) => peer === 'sagalog')
    const theirs = measurements.find(({ peer }) => peer === 'emmett PostgreSQL')
    const ratio =
      ours === undefined || theirs === undefined
        ? []
        : [`${(ours.ops.median / theirs.ops.median).toFixed(1)} times Emmett on PostgreSQL`]
    return [reportOf(measurements), ...aims, ...ratio, ...absentPeers(), ''].join('\n')
  },
}
