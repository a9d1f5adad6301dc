/**
 * What a group takes out of a broker in this process: a backlog with acknowledgement, and single
 * messages as they come, from the send to the handler.
 */
import { createConsumer, createProducer, ensureTopic, topic } from '@sagalog/client'
import * as t from 'io-ts'
import { Bench, BODY_BYTES, bodyOf, type EmbeddedBroker, openEmbedded } from './embedded-broker.js'
import { ownRound, processorMs, QUEUES, repeat } from './embedded-broker.js'
import { scaled } from './log-core-scale.js'
import type { Case, Round } from './measurement.js'

const BACKLOG = 1_000_000
const BATCH = 500
const SENDS_PER_SECOND = 500

/** Sends so many messages in batches. */
async function fill({ connection }: EmbeddedBroker, messages: number): Promise<void> {
  const producer = createProducer(connection, { group: 'bench' })
  const body = bodyOf(BODY_BYTES)
  let left = messages
  const send = async (): Promise<void> => {
    while (left > 0) {
      const count = Math.min(BATCH, left)
      left -= count
      await producer.sendBatch(
        Bench,
        Array.from({ length: count }, () => ({ body })),
      )
    }
  }
  await Promise.all(Array.from({ length: QUEUES }, send))
  producer.close()
}

/** Messages that the group has settled, over all queues. */
const settledBy = ({ broker }: EmbeddedBroker, group: string): number =>
  broker
    .status()
    .queues.filter((queue) => queue.group === group)
    .reduce((sum, { settledAbove, watermark }) => sum + watermark + settledAbove, 0)

async function consumeBacklog(directory: string, durationMs: number): Promise<Round> {
  const messages = scaled(BACKLOG, durationMs)
  const embedded = await openEmbedded(directory, { durationMs })
  const { broker, close, connection } = embedded
  await fill(embedded, messages)
  const before = broker.status().log
  const consumer = createConsumer(connection, { group: 'bench', instance: 'one' })
  let handled = 0
  const over = new Promise<void>((resolve) => {
    consumer.listen(Bench, async () => {
      handled += 1
      if (handled === messages) resolve()
    })
  })
  const processor = processorMs()
  const startMs = performance.now()
  await consumer.start()
  await over
  // Closing waits for the handlers and what they commit: all is acknowledged then.
  await consumer.close()
  const elapsedMs = performance.now() - startMs
  const processorUs = (processor() * 1_000) / messages
  const { log, earlyReplies } = broker.status()
  const settled = settledBy(embedded, 'bench')
  await close()
  if (settled !== messages) throw new Error(`${settled} of ${messages} messages are settled`)
  const figures = {
    syncsPerSecond: ((log.syncs - before.syncs) * 1_000) / elapsedMs,
    messages,
    messagesPerSync: messages / Math.max(1, log.syncs - before.syncs),
    processorUs,
  }
  const spent = { operations: messages, elapsedMs, latenciesMs: [] }
  return ownRound(spent, { concurrency: QUEUES, earlyReplies, figures })
}

const Timed = topic('timed', t.type({ sentMs: t.number, text: t.string }), { queues: QUEUES })

/** Sends at a steady pace; each message carries when it was sent. */
async function sendToHandler(directory: string, durationMs: number): Promise<Round> {
  const { broker, close, connection } = await openEmbedded(directory, { durationMs })
  const producer = createProducer(connection, { group: 'bench' })
  const consumer = createConsumer(connection, { group: 'bench', instance: 'one' })
  await ensureTopic(connection, Timed)
  const latenciesMs: number[] = []
  consumer.listen(Timed, async ({ body }) => {
    latenciesMs.push(performance.now() - body.sentMs)
  })
  await consumer.start()
  const startMs = performance.now()
  let sent = 0
  const sends: Promise<unknown>[] = []
  await new Promise<void>((resolve) => {
    const tick = (): void => {
      const dueMs = performance.now() - startMs
      for (; sent < (dueMs * SENDS_PER_SECOND) / 1_000; sent += 1) {
        const body = { sentMs: performance.now(), text: 'x'.repeat(BODY_BYTES - 50) }
        sends.push(producer.send(Timed, body))
      }
      if (dueMs < durationMs) setTimeout(tick, 1)
      else resolve()
    }
    tick()
  })
  await Promise.all(sends)
  while (latenciesMs.length < sent) await new Promise((resolve) => void setTimeout(resolve, 1))
  const elapsedMs = performance.now() - startMs
  await consumer.close()
  const { earlyReplies } = broker.status()
  await close()
  const sorted = latenciesMs.toSorted((left, right) => left - right)
  const figures = { p50Ms: sorted[sorted.length >> 1] ?? Number.NaN }
  return ownRound({ operations: sent, elapsedMs, latenciesMs }, { earlyReplies, figures })
}

async function transactional(
  directory: string,
  durationMs: number,
  callers: number,
): Promise<Round> {
  const { broker, close, connection } = await openEmbedded(directory, { durationMs })
  const checkBack = async () => 'unknown' as const
  const producer = createProducer(connection, { group: 'bench', checkBack })
  const body = bodyOf(BODY_BYTES)
  const send = () => producer.sendInTransaction(Bench, body, {}, async () => 'commit')
  await repeat(send, callers, durationMs / 5)
  const before = broker.status().log
  const processor = processorMs()
  const spent = await repeat(send, callers, durationMs)
  const processorUs = (processor() * 1_000) / Math.max(1, spent.operations)
  const { log, earlyReplies } = broker.status()
  producer.close()
  await close()
  const syncsPerSecond = ((log.syncs - before.syncs) * 1_000) / spent.elapsedMs
  const figures = { syncsPerSecond, processorUs }
  return ownRound(spent, { concurrency: callers, earlyReplies, figures })
}

export const consumeCases: readonly Case[] = [
  {
    label: 'a backlog of a million, consumed in a group with acknowledgement',
    aims: [{ kind: 'aim', figure: 'ops/s', unit: 'messages/s', least: 500_000 }],
    run: async (directory, durationMs) => [await consumeBacklog(directory, durationMs)],
  },
  {
    label: 'from send to handler, 500 a second',
    aims: [{ kind: 'aim', figure: 'p50Ms', unit: 'ms in the middle', most: 1 }],
    run: async (directory, durationMs) => [await sendToHandler(directory, durationMs)],
  },
  {
    label: 'transactional messages, half and confirmation, 64 callers',
    run: async (directory, durationMs) => [await transactional(directory, durationMs, 64)],
  },
  {
    label: 'transactional messages, half and confirmation, 1,024 callers',
    aims: [{ kind: 'aim', figure: 'ops/s', unit: 'messages/s', least: 50_000 }],
    run: async (directory, durationMs) => [await transactional(directory, durationMs, 1_024)],
  },
]
