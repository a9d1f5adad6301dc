/** What much of something costs: delayed messages in memory, topics at an opening. */
import { createProducer, ensureTopic, topic } from '@sagalog/client'
import * as t from 'io-ts'
import { spawn } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { openEmbedded, ownRound } from './embedded-broker.js'
import { scaled } from './log-core-scale.js'
import type { Case, Round } from './measurement.js'

const DELAYER = fileURLToPath(new URL('../dist/broker-delayer.js', import.meta.url))
const DELAYED = 1_000_000
const TOPICS = 10_000
const TOPIC_QUEUES = 4

interface Delayed {
  readonly elapsedMs: number
  readonly earlyReplies: number
  readonly timersOpen: number
  readonly heldMb: number
  readonly rssMb: number
}

/** In a process of its own, so that nothing else is counted. */
async function delayIn(directory: string, messages: number, durationMs: number): Promise<Delayed> {
  const args = ['--expose-gc', DELAYER, directory, String(messages), String(durationMs)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const printed = await text(child.stdout)
  return JSON.parse(printed) as Delayed
}

async function delayed(directory: string, durationMs: number): Promise<Round> {
  const messages = scaled(DELAYED, durationMs)
  const { earlyReplies, elapsedMs, heldMb, timersOpen, rssMb } = await delayIn(
    directory,
    messages,
    durationMs,
  )
  if (timersOpen !== messages) throw new Error(`${timersOpen} of ${messages} messages wait`)
  // Megabytes of a million, also in a trial run with fewer.
  const scale = DELAYED / messages
  const figures = { messages, heldMb: heldMb * scale, rssMb: rssMb * scale }
  const spent = { operations: messages, elapsedMs, latenciesMs: [] }
  return ownRound(spent, { durability: 'os', concurrency: 1_024, earlyReplies, figures })
}

/** Makes the topics and sends a message to each of their queues. */
async function makeTopics(directory: string, topics: number, durationMs: number): Promise<void> {
  const { close, connection } = await openEmbedded(directory, { durability: 'os', durationMs })
  const producer = createProducer(connection, { group: 'bench' })
  for (let from = 0; from < topics; from += 100) {
    const some = Array.from({ length: Math.min(100, topics - from) }, (_, index) =>
      topic(`topic-${from + index}`, t.string, { queues: TOPIC_QUEUES }),
    )
    await Promise.all(some.map((one) => ensureTopic(connection, one)))
    const sends = some.flatMap((one) =>
      Array.from({ length: TOPIC_QUEUES }, () => producer.send(one, 'x')),
    )
    await Promise.all(sends)
  }
  producer.close()
  await close()
}

/** Milliseconds until a broker there serves. */
async function openMs(directory: string, durationMs: number): Promise<number> {
  const startMs = performance.now()
  const { close } = await openEmbedded(directory, { durability: 'os', durationMs })
  const tookMs = performance.now() - startMs
  await close()
  return tookMs
}

async function manyTopics(directory: string, durationMs: number): Promise<Round> {
  const topics = scaled(TOPICS, durationMs)
  await makeTopics(directory, topics, durationMs)
  const savedMs = await openMs(directory, durationMs)
  for (const name of readdirSync(directory))
    if (name.endsWith('.ckpt')) rmSync(join(directory, name))
  const replayMs = await openMs(directory, durationMs)
  const spent = { operations: topics, elapsedMs: savedMs, latenciesMs: [savedMs] }
  const figures = { topics, openMs: savedMs, replayMs }
  return ownRound(spent, { body: 3, durability: 'os', figures })
}

export const manyCases: readonly Case[] = [
  {
    label: 'a million delayed messages in memory',
    roundsMax: 1,
    aims: [{ kind: 'aim', figure: 'heldMb', unit: 'MB held', most: 300 }],
    run: async (directory, durationMs) => [await delayed(directory, durationMs)],
  },
  {
    label: 'opening 10,000 topics of 4 queues',
    roundsMax: 1,
    aims: [
      { kind: 'aim', figure: 'openMs', unit: 'ms from a checkpoint', most: 2_000 },
      { kind: 'aim', figure: 'replayMs', unit: 'ms from the log', most: 2_000 },
    ],
    run: async (directory, durationMs) => [await manyTopics(directory, durationMs)],
  },
]
