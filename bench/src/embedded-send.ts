/**
 * Sends through a broker in this process, each awaited: how many a second, and how long one takes.
 * A synced case has the bare disk beside it, written in the same batches.
 */
import { openBroker } from '@sagalog/broker'
import { createProducer, ensureTopic, openConnection, topic } from '@sagalog/client'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import { channelPair, type Command } from '@sagalog/protocol'
import * as t from 'io-ts'
import { join } from 'node:path'
import { bareSyncLoop } from './bare-sync-loop.js'
import type { Benchmark, Case, CaseName, Round } from './measurement.js'

const CALLERS = [1, 64, 1024]
const BODY_BYTES = [128, 1024]
const Bench = topic('bench', t.string, { queues: 8 })

/** Runs `callers` loops until the time is up; gives what each single send took. */
async function sendFor(send: () => Promise<unknown>, callers: number, durationMs: number) {
  const latenciesMs: number[] = []
  const startMs = performance.now()
  const loop = async (): Promise<void> => {
    for (let nowMs = startMs; nowMs - startMs < durationMs;) {
      const sentMs = performance.now()
      await send()
      nowMs = performance.now()
      latenciesMs.push(nowMs - sentMs)
    }
  }
  await Promise.all(Array.from({ length: callers }, loop))
  return { latenciesMs, elapsedMs: performance.now() - startMs }
}

async function measure(name: CaseName, directory: string, durationMs: number): Promise<Round> {
  const ports = { clock: nodeClock(), random: nodeRandom() }
  const { durability } = name
  const broker = await openBroker({ ...ports, disk: nodeDisk(), directory, durability })
  const connect = async () => {
    const [ours, theirs] = channelPair<Command>()
    broker.accept(theirs)
    return ours
  }
  const connection = openConnection({ connect, ports })
  await ensureTopic(connection, Bench, { queues: 8 })
  const producer = createProducer(connection, { group: 'bench' })
  // Two bytes of a JSON text are its quotation marks.
  const body = 'x'.repeat(name.body - 2)
  const send = () => producer.send(Bench, body, {})
  await sendFor(send, name.concurrency, durationMs / 5)
  const before = broker.status().log
  const { latenciesMs, elapsedMs } = await sendFor(send, name.concurrency, durationMs)
  const { log, earlyReplies } = broker.status()
  connection.close()
  await broker.close()
  const writes = Math.max(1, log.writes - before.writes)
  const syncs = durability === 'sync' ? log.syncs - before.syncs : 0
  return {
    ...name,
    operations: latenciesMs.length,
    elapsedMs,
    latenciesMs,
    earlyReplies,
    figures: {
      syncsPerSecond: (syncs * 1000) / elapsedMs,
      sendsPerWrite: latenciesMs.length / writes,
      bytesPerWrite: (log.bytes - before.bytes) / writes,
    },
  }
}

/** The bare disk with the batches that the round made; its operations are the sends they carry. */
async function measureBare(ours: Round, directory: string, durationMs: number): Promise<Round> {
  const batchBytes = Math.max(1, Math.round(ours.figures['bytesPerWrite'] ?? 0))
  const sendsPerWrite = ours.figures['sendsPerWrite'] ?? 1
  const bare = await bareSyncLoop(join(directory, 'bare'), batchBytes, durationMs)
  return {
    ...ours,
    peer: 'bare O_DSYNC loop',
    operations: bare.writes * sendsPerWrite,
    elapsedMs: bare.elapsedMs,
    latenciesMs: bare.latenciesMs,
    earlyReplies: 0,
    figures: {
      syncsPerSecond: (bare.writes * 1000) / bare.elapsedMs,
      sendsPerWrite,
      bytesPerWrite: batchBytes,
    },
  }
}

function sendCase(name: CaseName): Case {
  return {
    label: `${name.durability}, ${name.body} B, ${name.concurrency} callers`,
    async run(directory, durationMs) {
      const ours = await measure(name, join(directory, 'log'), durationMs)
      if (name.durability !== 'sync') return [ours]
      return [ours, await measureBare(ours, directory, durationMs / 2)]
    },
  }
}

export const embeddedSend: Benchmark = {
  name: 'embedded-send',
  summary: 'Awaited sends through a broker in this process: 1, 64, 1,024 callers; sync and os.',
  cases: (['sync', 'os'] as const).flatMap((durability) =>
    BODY_BYTES.flatMap((body) =>
      CALLERS.map((concurrency) => sendCase({ peer: 'sagalog', body, concurrency, durability })),
    ),
  ),
}
