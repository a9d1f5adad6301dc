/**
 * The composition: a connection, to a broker in this process or to one elsewhere, and everything
 * that speaks over it. Holds no logic of its own; each part is there for itself in its package.
 */
import { type Broker, type BrokerOptions, openBroker } from '@sagalog/broker'
import {
  type Connection,
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  createProducer,
  ensureTopic,
  hostPortText,
  openConnection,
  parseAddress,
  type Producer,
  type ProducerOptions,
  type Topic,
} from '@sagalog/client'
import { openRemote, placesIn } from '@sagalog/client/rocketmq'
import { connectTcpTo } from '@sagalog/client/tcp'
import { type BrokerEventStore, createEventStore } from '@sagalog/event-store'
import type { Clock, Disk, Random } from '@sagalog/kernel'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import { type BrokerStatusResponse, channelPair, type Command } from '@sagalog/protocol'
import { createSagaRuntime, type SagaRuntime, type SagaRuntimeOptions } from '@sagalog/saga'

export interface SagalogOptions extends Omit<
  BrokerOptions,
  'disk' | 'clock' | 'random' | 'directory'
> {
  /** The directory of the data; made when it is not there. One process at a time has it. */
  readonly dir: string
  /** Other ports than the machine's own, for tests. */
  readonly ports?: { readonly disk?: Disk; readonly clock?: Clock; readonly random?: Random }
}

/** A connection with everything that works over it, wherever the broker is. */
export interface SagalogClient {
  readonly connection: Connection
  /** Streams of events, and the one commit. */
  readonly events: BrokerEventStore
  /** Makes a topic with so many queues; fine when it is there. */
  ensureTopic<A>(topic: Topic<A>, options?: { readonly queues?: number }): Promise<void>
  producer(options: ProducerOptions): Producer
  /** A consumer that `close` closes too. */
  consumer(options: ConsumerOptions): Consumer
  /** A saga runtime that `close` closes too. */
  sagas(options: SagaRuntimeOptions): SagaRuntime
  /** Finishes what handlers have in hand, then closes the connection, and a broker of its own. */
  close(): Promise<void>
}

/** An open Sagalog: a broker in this process and one connection to it. */
export interface Sagalog extends SagalogClient {
  readonly broker: Broker
  status(): BrokerStatusResponse
}

export interface ConnectOptions {
  /** For `sagalog:DIRECTORY`: the options of a broker in this process. */
  readonly embedded?: Omit<SagalogOptions, 'dir'>
  /**
   * For a cluster of Apache RocketMQ: the directory where consumers of broadcasting groups keep
   * their places. Without it they are refused there.
   */
  readonly places?: string
}

/**
 * Opens Sagalog in a directory of this process.
 * @throws LogError when the directory is in use, unwritable or damaged.
 */
async function open(options: SagalogOptions): Promise<Sagalog> {
  const { dir, ports: given, ...brokerOptions } = options
  const clock = given?.clock ?? nodeClock()
  const random = given?.random ?? nodeRandom()
  const disk = given?.disk ?? nodeDisk()
  const broker = await openBroker({ ...brokerOptions, disk, clock, random, directory: dir })
  const connection = openConnection({
    connect: () => {
      const [ours, theirs] = channelPair<Command>()
      broker.accept(theirs)
      return Promise.resolve(ours)
    },
    ports: { clock, random, ...(options.hops === undefined ? {} : { hops: options.hops }) },
  })
  const client = clientOver(connection)
  return {
    ...client,
    broker,
    status: () => broker.status(),
    async close() {
      await client.close()
      await broker.close()
    },
  }
}

/**
 * Opens what an address names: `sagalog:./data` a broker in this process, with this directory;
 * `rocketmq://host:9876;host:9876` a Sagalog broker or a cluster of Apache RocketMQ.
 * @throws ClientError ADDRESS_INVALID, UNREACHABLE when nobody answers there; LogError as `open`.
 */
async function connect(address: string, options: ConnectOptions = {}): Promise<SagalogClient> {
  const place = parseAddress(address)
  if (place.where === 'embedded') return await open({ ...options.embedded, dir: place.dir })
  const connection = await openRemote({
    servers: place.servers.map(hostPortText),
    connectTo: connectTcpTo,
    ports: { clock: nodeClock(), random: nodeRandom() },
    ...(options.places === undefined ? {} : { places: placesIn(options.places) }),
  })
  return clientOver(connection)
}

function clientOver(connection: Connection): SagalogClient {
  const running: { close(): Promise<void> }[] = []
  function kept<Running extends { close(): Promise<void> }>(part: Running): Running {
    running.push(part)
    return part
  }
  return {
    connection,
    events: createEventStore(connection),
    ensureTopic: (topic, { queues } = {}) =>
      ensureTopic(connection, topic, queues === undefined ? {} : { queues }),
    producer: (producerOptions) => createProducer(connection, producerOptions),
    consumer: (consumerOptions) => kept(createConsumer(connection, consumerOptions)),
    sagas: (sagaOptions) => kept(createSagaRuntime(connection, sagaOptions)),
    async close() {
      await Promise.all(running.splice(0).map((part) => part.close()))
      connection.close()
    },
  }
}

export const Sagalog = { open, connect } as const
