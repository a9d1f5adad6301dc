/**
 * The composition: one process with its broker inside, and everything that speaks to it over an
 * in-process channel. Holds no logic of its own; each part is there for itself in its own package.
 */
import { type Broker, type BrokerOptions, openBroker } from '@sagalog/broker'
import {
  type Connection,
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  createProducer,
  ensureTopic,
  openConnection,
  type Producer,
  type ProducerOptions,
  type Topic,
} from '@sagalog/client'
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

/** An open Sagalog: a broker in this process and one connection to it. */
export interface Sagalog {
  readonly connection: Connection
  readonly broker: Broker
  /** Streams of events, and the one commit. */
  readonly events: BrokerEventStore
  /** Makes a topic with so many queues; fine when it is there. */
  ensureTopic<A>(topic: Topic<A>, options?: { readonly queues?: number }): Promise<void>
  producer(options: ProducerOptions): Producer
  /** A consumer that `close` closes too. */
  consumer(options: ConsumerOptions): Consumer
  /** A saga runtime that `close` closes too. */
  sagas(options: SagaRuntimeOptions): SagaRuntime
  status(): BrokerStatusResponse
  /** Finishes what handlers have in hand, then closes the connection and the broker. */
  close(): Promise<void>
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
  return compose(broker, connection)
}

function compose(broker: Broker, connection: Connection): Sagalog {
  const running: { close(): Promise<void> }[] = []
  function kept<Running extends { close(): Promise<void> }>(part: Running): Running {
    running.push(part)
    return part
  }
  return {
    connection,
    broker,
    events: createEventStore(connection),
    ensureTopic: (topic, { queues } = {}) =>
      ensureTopic(connection, topic, queues === undefined ? {} : { queues }),
    producer: (producerOptions) => createProducer(connection, producerOptions),
    consumer: (consumerOptions) => kept(createConsumer(connection, consumerOptions)),
    sagas: (sagaOptions) => kept(createSagaRuntime(connection, sagaOptions)),
    status: () => broker.status(),
    async close() {
      await Promise.all(running.splice(0).map((part) => part.close()))
      connection.close()
      await broker.close()
    },
  }
}

export const Sagalog = { open } as const
