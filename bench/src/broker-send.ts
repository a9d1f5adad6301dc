/**
 * Sends through a broker in this process, each awaited: singly by some callers, and in batches.
 * Beside them the log alone with records of the same size, and, for what is synced, the bare disk
 * with the same writes.
 */
import { createProducer, type Producer } from '@sagalog/client'
import { bytesDraft } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { openLog } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'
import { join } from 'node:path'
import { bareSyncLoop } from './bare-sync-loop.js'
import { Bench, BODY_BYTES, bodyOf, type Durability, openEmbedded } from './embedded-broker.js'
import { ownRound, processorMs, repeat } from './embedded-broker.js'
import { segmentBytesFor } from './log-core-scale.js'
import type { Case, Round } from './measurement.js'

interface SendCase {
  readonly callers: number
  /** Messages of one send. */
  readonly batch: number
  readonly body: number
  readonly durability: Durability
}

function senderOf(producer: Producer, { batch, body }: SendCase): () => Promise<unknown> {
  const text = bodyOf(body)
  if (batch === 1) return () => producer.send(Bench, text)
  const messages = Array.from({ length: batch }, () => ({ body: text }))
  return () => producer.sendBatch(Bench, messages)
}

async function measure(one: SendCase, directory: string, durationMs: number): Promise<Round> {
  const { batch, body, callers: concurrency, durability } = one
  const { broker, close, connection } = await openEmbedded(directory, { durability, durationMs })
  const send = senderOf(createProducer(connection, { group: 'bench' }), one)
  await repeat(send, concurrency, durationMs / 5)
  const before = broker.status().log
  const processor = processorMs()
  const { elapsedMs, latenciesMs, operations } = await repeat(send, concurrency, durationMs)
  const busyMs = processor()
  const { log, earlyReplies } = broker.status()
  await close()
  const writes = Math.max(1, log.writes - before.writes)
  const messages = Math.max(1, operations * batch)
  const syncs = durability === 'sync' ? log.syncs - before.syncs : 0
  const figures = {
    syncsPerSecond: (syncs * 1_000) / elapsedMs,
    bytesPerRecord: (log.bytes - before.bytes) / messages,
    messagesPerWrite: messages / writes,
    processorUs: (busyMs * 1_000) / messages,
  }
  const spent = { operations: messages, elapsedMs, latenciesMs }
  return ownRound(spent, { body, concurrency, durability, earlyReplies, figures })
}

/** The log alone: as many callers, frames of as many records of the same size. */
async function measureLog(
  { batch, durability }: SendCase,
  ours: Round,
  directory: string,
  durationMs: number,
): Promise<Round> {
  const segmentBytes = segmentBytesFor(durationMs)
  const [disk, clock] = [nodeDisk(), nodeClock()]
  const log = await openLog({ disk, clock, directory, durability, segmentBytes })
  const bytes = Math.max(1, Math.round((ours.figures['bytesPerRecord'] ?? 0) - RECORD_OVERHEAD))
  const drafts = Array.from({ length: batch }, () => bytesDraft('message', Buffer.alloc(bytes)))
  const write = (): Promise<unknown> => log.write(drafts)
  await repeat(write, ours.concurrency, durationMs / 5)
  const before = log.stats
  const spent = await repeat(write, ours.concurrency, durationMs)
  const { stats } = log
  await log.close()
  const operations = spent.operations * batch
  const figures = {
    syncsPerSecond: ((stats.syncs - before.syncs) * 1_000) / spent.elapsedMs,
    bytesPerRecord: (stats.bytes - before.bytes) / Math.max(1, operations),
  }
  return { ...ours, ...spent, peer: 'log-core alone', operations, earlyReplies: 0, figures }
}

/** Of a frame and a record around its body, roughly. */
const RECORD_OVERHEAD = 60

/** The disk with the writes that the round made; its operations are the messages they carry. */
async function measureBare(ours: Round, directory: string, durationMs: number): Promise<Round> {
  const { bytesPerRecord = 1, messagesPerWrite = 1 } = ours.figures
  const batchBytes = Math.max(1, Math.round(bytesPerRecord * messagesPerWrite))
  const bare = await bareSyncLoop(join(directory, 'bare'), batchBytes, durationMs)
  return {
    ...ours,
    peer: 'bare O_DSYNC loop',
    operations: bare.writes * messagesPerWrite,
    elapsedMs: bare.elapsedMs,
    latenciesMs: bare.latenciesMs,
    earlyReplies: 0,
    figures: { syncsPerSecond: (bare.writes * 1_000) / bare.elapsedMs, bytesPerRecord },
  }
}

function sendCase(label: string, aims: Case['aims'], one: Partial<SendCase>): Case {
  const whole = { callers: 1, batch: 1, body: BODY_BYTES, durability: 'sync' as const, ...one }
  return {
    label,
    ...(aims === undefined ? {} : { aims }),
    async run(directory, durationMs) {
      const ours = await measure(whole, join(directory, 'broker'), durationMs)
      const log = await measureLog(whole, ours, join(directory, 'log'), durationMs / 3)
      if (whole.durability !== 'sync') return [ours, log]
      return [ours, log, await measureBare(ours, directory, durationMs / 3)]
    },
  }
}

const perSecond = (least: number): Case['aims'] => [
  { kind: 'aim', figure: 'ops/s', unit: 'messages/s', least },
]

export const sendCases: readonly Case[] = [
  sendCase('awaited sends, sync, 128 B, 1 caller', undefined, {}),
  sendCase('awaited sends, sync, 128 B, 64 callers', undefined, { callers: 64 }),
  sendCase('awaited sends, sync, 128 B, 1,024 callers', perSecond(200_000), { callers: 1_024 }),
  sendCase('awaited sends, sync, 1 KiB, 1,024 callers', undefined, { callers: 1_024, body: 1_024 }),
  sendCase('awaited sends, os, 128 B, 1,024 callers', undefined, {
    callers: 1_024,
    durability: 'os',
  }),
  sendCase('batches of 100, sync, 128 B, 16 callers', perSecond(600_000), {
    callers: 16,
    batch: 100,
  }),
]
