/**
 * A broker in this process with one connection to it, as every case of the embedded path uses it;
 * and callers that do one thing after the other until their time is up.
 */
import { type Broker, openBroker } from '@sagalog/broker'
import { type Connection, ensureTopic, openConnection, topic } from '@sagalog/client'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import { channelPair, type Command } from '@sagalog/protocol'
import * as t from 'io-ts'
import { segmentBytesFor } from './log-core-scale.js'
import type { CaseName, Round } from './measurement.js'

export type Durability = CaseName['durability']

export const QUEUES = 8
export const BODY_BYTES = 128
export const Bench = topic('bench', t.string, { queues: QUEUES })

/** A text whose JSON has so many bytes: two of them are its quotation marks. */
export const bodyOf = (bytes: number): string => 'x'.repeat(bytes - 2)

export interface EmbeddedBroker {
  readonly broker: Broker
  readonly connection: Connection
  /** Ends the connection and the broker. */
  close(): Promise<void>
}

/** Opens what is in the directory, and makes the topic; a short round has short segments. */
export async function openEmbedded(
  directory: string,
  { durability = 'sync', durationMs }: { durability?: Durability; durationMs: number },
): Promise<EmbeddedBroker> {
  const ports = { clock: nodeClock(), random: nodeRandom() }
  const segmentBytes = segmentBytesFor(durationMs)
  const log = { disk: nodeDisk(), directory, durability, segmentBytes }
  const broker = await openBroker({ ...ports, ...log })
  const connect = async () => {
    const [ours, theirs] = channelPair<Command>()
    broker.accept(theirs)
    return ours
  }
  const connection = openConnection({ connect, ports, requestTimeoutMs: 60_000 })
  await ensureTopic(connection, Bench)
  return {
    broker,
    connection,
    async close() {
      connection.close()
      await broker.close()
    },
  }
}

export interface Spent {
  readonly operations: number
  readonly elapsedMs: number
  readonly latenciesMs: readonly number[]
}

/** Callers that each do `work` and wait for it, again and again. */
export async function repeat(
  work: () => Promise<unknown>,
  callers: number,
  durationMs: number,
): Promise<Spent> {
  const latenciesMs: number[] = []
  const startMs = performance.now()
  const loop = async (): Promise<void> => {
    for (let nowMs = startMs; nowMs - startMs < durationMs;) {
      const askedMs = performance.now()
      await work()
      nowMs = performance.now()
      latenciesMs.push(nowMs - askedMs)
    }
  }
  await Promise.all(Array.from({ length: callers }, loop))
  return { operations: latenciesMs.length, elapsedMs: performance.now() - startMs, latenciesMs }
}

/** Processor time from now until it is asked for, in milliseconds: others can't lengthen it. */
export function processorMs(): () => number {
  const before = process.cpuUsage()
  return () => {
    const { system, user } = process.cpuUsage(before)
    return (system + user) / 1_000
  }
}

/** Of the broker's own rounds; body and callers as most cases have them unless told. */
export function ownRound(spent: Spent, more: Partial<Round>): Round {
  return {
    peer: 'sagalog',
    body: BODY_BYTES,
    concurrency: 1,
    durability: 'sync',
    earlyReplies: 0,
    figures: {},
    ...spent,
    ...more,
  }
}
