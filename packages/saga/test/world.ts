/**
 * A world for whole sagas: the real broker on a simulated disk and clock, and processes that come
 * and go, joined to it in memory or by bytes that are cut up anew: instances of the saga runtime
 * and of two services. The services keep one stream per order and write down each effect, so that
 * the streams can be audited after everything is over.
 */
import { type Connection, createConsumer, ensureTopic, openConnection } from '@sagalog/client'
import type { Received, Topic, Tx } from '@sagalog/client'
import { appendIn, createEventStore, defineEvents, type EventsOf } from '@sagalog/event-store'
import { below, type Channel, type Clock, type Random } from '@sagalog/kernel'
import { type NodeClock, seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { type Command, channelPair, commandChannel } from '@sagalog/protocol'
import { byteChannelPair } from '@sagalog/protocol/testing'
import { commandOf, createSagaRuntime, reply, type SagaDefinition } from '@sagalog/saga'
import type { SagaEnded, SagaRuntime } from '@sagalog/saga'
import * as t from 'io-ts'
import { afterEach, expect } from 'vitest'
import { type Broker, openBroker } from '../../broker/src/index.js'
import { simulatedDisk } from '../../log-core/src/testing/index.js'
import { Confirmations, PaymentCommands, StockCommands } from './orders.js'

/** What joins a process and the broker. */
export type Wire = 'memory' | 'bytes'
export const wires: readonly Wire[] = ['memory', 'bytes']

const SEGMENT_BYTES = 16 * 1024

/** Brokers that the running test opened; those that have died count too. */
const opened: Broker[] = []

/** No broker let a reply go before what it says was safe. Every test ends with this. */
export function expectNoEarlyReplies(): void {
  for (const broker of opened.splice(0)) expect(broker.status().earlyReplies).toBe(0)
}

afterEach(expectNoEarlyReplies)

/** What a service did for one order. */
export const Effects = defineEvents('effects', {
  Done: t.type({ key: t.string }),
  Refused: t.type({ key: t.string }),
  Undone: t.type({ key: t.string, hadDone: t.boolean }),
})
export type Effect = EventsOf<typeof Effects>

/** What a service answers to the run of a command: a result, a refusal, or nothing at all. */
export type Behaviour = 'done' | 'refused' | 'silent'

const answers = {
  stock: { done: { left: 1 }, refused: { tag: 'out-of-stock' } },
  payment: { done: { receipt: 'r' }, refused: { tag: 'declined', limit: 1 } },
} as const

export type ServiceName = keyof typeof answers

interface Process {
  readonly name: string
  readonly clock: NodeClock
  readonly connection: Connection
  readonly start: () => Promise<void>
}

export interface WorldOptions {
  readonly wire: Wire
  readonly seed: number
  readonly saga: SagaDefinition
  readonly behaviour: (service: ServiceName, order: number) => Behaviour
  readonly queues?: number
}

export class World {
  readonly random: Random
  readonly time
  readonly ended: SagaEnded[] = []
  readonly problems: string[] = []
  runtime: SagaRuntime | undefined
  kills = 0
  readonly #disk
  readonly #options: WorldOptions
  readonly #processes = new Map<string, Process>()
  #broker: { readonly broker: Broker; readonly clock: NodeClock } | undefined
  #opening: Promise<void> | undefined

  constructor(options: WorldOptions) {
    this.#options = options
    this.random = seededRandom(options.seed)
    this.time = simulatedTime(this.random.fork('time'))
    this.#disk = simulatedDisk({ time: this.time, random: this.random.fork('disk') })
  }

  /** Opens the broker, on what an earlier one left. */
  async openBroker(): Promise<void> {
    const clock = this.time.nodeClock()
    const opening = openBroker({
      disk: this.#disk.attach(clock),
      clock,
      random: this.random.fork(`broker ${this.kills}`),
      directory: '/data',
      segmentBytes: SEGMENT_BYTES,
      leaseMs: 2_000,
    }).then((broker) => {
      opened.push(broker)
      if (!clock.isDead) this.#broker = { broker, clock }
    })
    this.#opening = opening
    await opening
  }

  /** Power loss: whatever was not synced may be gone. Clients stay and connect again. */
  crashBroker(): void {
    if (this.#broker === undefined) return
    this.kills += 1
    this.#disk.crash()
    this.#broker.clock.kill()
    this.#broker = undefined
    for (const channel of this.#channels.splice(0)) channel.close('the power is gone')
  }

  #links = 0
  readonly #channels: { close(reason: string): void }[] = []

  #link(name: string): [Channel<Command>, Channel<Command>] {
    if (this.#options.wire === 'memory') return channelPair<Command>([name, 'broker'])
    this.#links += 1
    const [left, right] = byteChannelPair(this.random.fork(`link ${this.#links}`))
    return [commandChannel(left), commandChannel(right)]
  }

  /** How many segments the log has filled. */
  get rolls(): number {
    const status = this.#broker?.broker.status()
    return status === undefined ? 0 : Math.floor(status.log.sequenced / SEGMENT_BYTES)
  }

  /** `wrap` stands between the process and its end of the channel. */
  connect(
    clock: Clock,
    name: string,
    wrap: (channel: Channel<Command>) => Channel<Command> = (channel) => channel,
  ): Connection {
    return openConnection({
      connect: async () => {
        const broker = this.#broker
        if (broker === undefined) throw new Error('nobody listens')
        const [left, right] = this.#link(name)
        this.#channels.push(left)
        broker.broker.accept(right)
        return wrap(left)
      },
      ports: { clock, random: this.random.fork(`${name} ${this.kills}`) },
    })
  }

  async startRuntime(name: string): Promise<SagaRuntime> {
    const clock = this.time.nodeClock()
    const connection = this.connect(clock, name)
    const { queues = 4, saga } = this.#options
    const runtime = createSagaRuntime(connection, {
      sagas: [saga],
      instance: name,
      queues,
      retryMs: 20,
      onProblem: ({ what, cause }) => void this.problems.push(`${name}: ${what}: ${String(cause)}`),
    })
    runtime.onEnded((ended) => void this.ended.push(ended))
    this.runtime = runtime
    const start = async (): Promise<void> => void (await this.startRuntime(name))
    this.#processes.set(name, { name, clock, connection, start })
    await runtime.start()
    return runtime
  }

  async startService(service: ServiceName, name: string = service): Promise<void> {
    const clock = this.time.nodeClock()
    const connection = this.connect(clock, name)
    const start = (): Promise<void> => this.startService(service, name)
    this.#processes.set(name, { name, clock, connection, start })
    const store = createEventStore(connection)
    await store.ensureCategory(Effects, { queues: 4 })
    await ensureTopic(connection, Confirmations)
    const consumer = createConsumer(connection, { group: service, instance: name, retryMs: 20 })
    const handle = async (message: Received<{ order: number }>, tx: Tx): Promise<void> => {
      const { key, action } = commandOf(message)
      const { events, version } = await store.read(Effects, key)
      const hadDone = events.some((event) => event.type === 'Done')
      const happens = (event: Effect): void =>
        appendIn(tx, Effects, key, [event], { expected: version })
      if (action === 'undo') {
        happens(Effects.make.Undone({ key, hadDone }))
        return reply(tx, message, { undone: true })
      }
      const behaviour = this.#options.behaviour(service, message.body.order)
      const { done, refused } = answers[service]
      happens(behaviour === 'refused' ? Effects.make.Refused({ key }) : Effects.make.Done({ key }))
      if (behaviour === 'done') reply(tx, message, { done })
      if (behaviour === 'refused') reply(tx, message, { refused })
    }
    const listen = async <A extends { order: number }>(topic: Topic<A>): Promise<void> => {
      await ensureTopic(connection, topic)
      consumer.listen(topic, handle, { order: 'orderly' })
    }
    await (service === 'stock' ? listen(StockCommands) : listen(PaymentCommands))
    await consumer.start()
  }

  /** A process dies in the middle of whatever it does; another of the same name starts. */
  restart(name: string): void {
    const process = this.#processes.get(name)
    if (process === undefined) return
    this.kills += 1
    process.clock.kill()
    process.connection.close()
    this.background(process.start())
  }

  get processes(): readonly string[] {
    return [...this.#processes.keys()]
  }

  get isBrokerUp(): boolean {
    return this.#broker !== undefined
  }

  background(work: Promise<unknown>): void {
    work.catch((cause: unknown) => void this.problems.push(String(cause)))
  }

  /** Runs the world until `work` has ended. Fails when it is idle before. */
  async until<A>(work: Promise<A>, untilMs = 600_000): Promise<A> {
    let result: { value: A } | { cause: unknown } | undefined
    work.then(
      (value) => {
        result = { value }
      },
      (cause: unknown) => {
        result = { cause }
      },
    )
    const how = await this.time.run({
      untilMs: this.time.nowMs() + untilMs,
      isDone: () => result !== undefined,
    })
    if (result === undefined) throw new Error(`the world is ${how}: ${this.problems.at(-1)}`)
    if ('cause' in result) throw result.cause
    return result.value
  }

  /** Runs until the condition holds. */
  async runUntil(isDone: () => boolean, forMs = 600_000): Promise<boolean> {
    const untilMs = this.time.nowMs() + forMs
    return (await this.time.run({ untilMs, isDone })) === 'done'
  }

  draw(bound: number): number {
    return below(this.random, bound)
  }

  async close(): Promise<void> {
    await this.#opening
    for (const { connection, clock } of this.#processes.values()) {
      connection.close()
      clock.kill()
    }
  }
}
