/**
 * The stores that are measured side by side, each as one small interface: Sagalog in this process,
 * and Emmett in memory and on PostgreSQL. PostgreSQL is taken from `SAGALOG_BENCH_POSTGRES`, a
 * connection string of a database that may be written to; without it the peer is left out, and a
 * line says so.
 */
import { type Event, getInMemoryEventStore } from '@event-driven-io/emmett'
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql'
import { openBroker } from '@sagalog/broker'
import { openConnection } from '@sagalog/client'
import { type BrokerEventStore, createEventStore, defineEvents } from '@sagalog/event-store'
import { streamVersion } from '@sagalog/kernel'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import { channelPair, type Command } from '@sagalog/protocol'
import * as t from 'io-ts'

export const Measured = defineEvents('measured', {
  Happened: t.type({ id: t.string, amount: t.number, note: t.string }),
})

/** Some 100 bytes as JSON. */
export const happened = (id: string) =>
  Measured.make.Happened({ id, amount: 1_250, note: 'x'.repeat(60) })

export interface Peer {
  readonly peer: string
  readonly durability: 'sync' | 'memory'
  /** Appends one event to a stream that has exactly so many. */
  append(stream: string, version: number): Promise<void>
  /** Gives how many events the stream has, all of them decoded. */
  read(stream: string): Promise<number>
  /** Early replies; 0 for peers that keep no account. */
  earlyReplies(): number
  close(): Promise<void>
}

export interface SagalogPeer extends Peer {
  readonly store: BrokerEventStore
}

export async function sagalogPeer(
  directory: string,
  durability: 'sync' | 'os' = 'sync',
): Promise<SagalogPeer> {
  const ports = { clock: nodeClock(), random: nodeRandom() }
  const broker = await openBroker({ ...ports, disk: nodeDisk(), directory, durability })
  const connection = openConnection({
    ports,
    requestTimeoutMs: 60_000,
    connect: async () => {
      const [ours, theirs] = channelPair<Command>()
      broker.accept(theirs)
      return ours
    },
  })
  const store = createEventStore(connection)
  await store.ensureCategory(Measured, { queues: 8 })
  return {
    peer: 'sagalog',
    durability: 'sync',
    store,
    async append(stream, version) {
      const expected = streamVersion(version)
      const result = await store.append(Measured, stream, [happened(stream)], { expected })
      if ('conflict' in result) throw new Error(`${stream} has ${result.conflict}, not ${version}`)
    },
    read: async (stream) => (await store.read(Measured, stream)).events.length,
    earlyReplies: () => broker.status().earlyReplies,
    async close() {
      connection.close()
      await broker.close()
    },
  }
}

type Happened = Event<'Happened', { id: string; amount: number; note: string }>

const emmettEvent = (id: string): Happened => ({
  type: 'Happened',
  data: { id, amount: 1_250, note: 'x'.repeat(60) },
})

export function emmettInMemory(): Peer {
  const store = getInMemoryEventStore()
  return {
    peer: 'emmett in memory',
    durability: 'memory',
    async append(stream, version) {
      await store.appendToStream(stream, [emmettEvent(stream)], {
        expectedStreamVersion: version === 0 ? 'STREAM_DOES_NOT_EXIST' : BigInt(version),
      })
    },
    read: async (stream) => (await store.readStream<Happened>(stream)).events.length,
    earlyReplies: () => 0,
    close: async () => undefined,
  }
}

/** Undefined where no PostgreSQL was named. */
export async function emmettPostgreSQL(): Promise<Peer | undefined> {
  const url = process.env['SAGALOG_BENCH_POSTGRES']
  if (url === undefined) return undefined
  const store = getPostgreSQLEventStore(url)
  await store.schema.migrate()
  return {
    peer: 'emmett PostgreSQL',
    durability: 'sync',
    async append(stream, version) {
      await store.appendToStream(stream, [emmettEvent(stream)], {
        expectedStreamVersion: version === 0 ? 'STREAM_DOES_NOT_EXIST' : BigInt(version),
      })
    },
    read: async (stream) => (await store.readStream<Happened>(stream)).events.length,
    earlyReplies: () => 0,
    close: () => store.close(),
  }
}

/** Which peers this run leaves out, and what brings them in. */
export function absentPeers(): readonly string[] {
  const postgres =
    process.env['SAGALOG_BENCH_POSTGRES'] === undefined
      ? ['emmett PostgreSQL is left out: set SAGALOG_BENCH_POSTGRES to a connection string']
      : []
  return [
    ...postgres,
    'emmett SQLite is left out: its driver compiles SQLite where no binary can be fetched, the ' +
      'package lacks two of its own dependencies, and 64 callers end it with SQLITE_BUSY',
  ]
}
