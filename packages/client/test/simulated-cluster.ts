/**
 * A cluster of two real brokers, on simulated disks and one clock, and a name server that knows
 * them: Sagalog's broker answers RocketMQ's requests, so it can stand for one of Apache's. What
 * Apache's own do is tested with them, in test/cluster.
 */
import { type Broker, openBroker } from '@sagalog/broker'
import type { Channel } from '@sagalog/kernel'
import {
  type NodeClock,
  seededRandom,
  settle,
  simulatedTime,
  type SimulatedTime,
} from '@sagalog/kernel/testing'
import { simulatedDisk } from '@sagalog/log-core/testing'
import {
  type BrokerRoute,
  channelPair,
  clusterInfo,
  type Command,
  requestPayload,
  ResponseCode,
  responseOf,
  topicRoute,
} from '@sagalog/protocol'
import { type Connection, openConnection } from '../src/index.js'
import { openCluster, type PlaceStore } from '../src/rocketmq/index.js'

const NAME_SERVER = '10.0.1.0:9876'

/** One broker; it can lose its power and come back on what was synced. */
class ClusterBroker {
  readonly address: string
  broker: Broker | undefined
  /** False while clients do not get through to it; the name server does. */
  isReachable = true
  readonly name: string
  readonly #world: Parts
  readonly #disk
  readonly #ends = new Set<Channel<Command>>()
  #node: NodeClock

  constructor(name: string, port: number, world: Parts) {
    this.name = name
    this.address = `10.0.0.1:${port}`
    this.#world = world
    this.#node = world.time.nodeClock()
    this.#disk = simulatedDisk({ time: world.time, random: world.random.fork(name) })
  }

  async open(): Promise<void> {
    const { random, time } = this.#world
    this.#node = time.nodeClock()
    const [host = '', port] = this.address.split(':')
    this.broker = await openBroker({
      disk: this.#disk.attach(this.#node),
      clock: this.#node,
      random: random.fork(`${this.name} ${time.nowMs()}`),
      directory: '/broker',
      name: this.name,
      address: { host, port: Number(port) },
      autoCreateTopics: false,
      segmentBytes: 64 * 1024,
    })
  }

  /** What it still sends goes nowhere. */
  kill(): void {
    this.broker = undefined
    this.#node.kill()
    this.#disk.crash()
    for (const end of [...this.#ends]) end.close('the power is out')
    this.#ends.clear()
  }

  /** Clients lose it, and do not get through until it is reachable again. */
  cutOff(): void {
    this.isReachable = false
    for (const end of [...this.#ends]) end.close('the cable was cut')
    this.#ends.clear()
  }

  connect(): Promise<Channel<Command>> {
    if (this.broker === undefined) return Promise.reject(new Error('nobody listens'))
    const [ours, theirs] = channelPair<Command>()
    this.#ends.add(ours)
    this.broker.accept(theirs)
    return Promise.resolve(ours)
  }
}

interface Parts {
  readonly time: SimulatedTime
  readonly random: ReturnType<typeof seededRandom>
}

export interface ClientProcess {
  readonly connection: Connection
  /** Ends it in the middle of whatever it does. */
  die(): void
}

export interface SimulatedCluster extends Parts {
  readonly a: ClusterBroker
  readonly b: ClusterBroker
  /** Opens a connection of a client process of its own. */
  connect(places?: PlaceStore): Connection
  process(places?: PlaceStore): ClientProcess
  until<A>(promise: Promise<A>): Promise<A>
  untilTrue(isDone: () => boolean, what: string): Promise<void>
  pass(ms: number): Promise<void>
}

export async function simulatedCluster(seed = 1): Promise<SimulatedCluster> {
  const random = seededRandom(seed)
  const time = simulatedTime(random.fork('time'))
  const parts = { random, time }
  const a = new ClusterBroker('broker-a', 1, parts)
  const b = new ClusterBroker('broker-b', 2, parts)
  const all = [a, b]
  let processes = 0

  async function run(isDone: () => boolean, what: string): Promise<void> {
    await time.run({ untilMs: time.nowMs() + 600_000, isDone })
    if (!isDone()) throw new Error(`it never came to pass: ${what}`)
  }
  async function until<A>(promise: Promise<A>): Promise<A> {
    let isDone = false
    const mark = (): void => {
      isDone = true
    }
    promise.then(mark, mark)
    await run(() => isDone, 'the promise')
    return promise
  }
  await until(Promise.all(all.map((broker) => broker.open())))
  const nameServer = nameServerOf(all, parts)

  async function channelTo(address: string): Promise<Channel<Command>> {
    if (address === NAME_SERVER) return nameServer()
    const broker = all.find((one) => one.address === address)
    if (broker?.isReachable === true) return broker.connect()
    throw new Error(`nobody is reached at ${address}`)
  }
  function process(places?: PlaceStore): ClientProcess {
    processes += 1
    const clock = time.nodeClock()
    const channels: Channel<Command>[] = []
    const connection = openCluster({
      nameServers: [NAME_SERVER],
      ports: { clock, random: random.fork(`process ${processes}`) },
      async connectTo(address) {
        const channel = await channelTo(address)
        channels.push(channel)
        return channel
      },
      ...(places === undefined ? {} : { places }),
    })
    const die = (): void => {
      clock.kill()
      for (const channel of channels) channel.close('the process died')
    }
    return { connection, die }
  }
  return {
    ...parts,
    ...{ a, b, until },
    connect: (places) => process(places).connection,
    process,
    untilTrue: run,
    async pass(ms) {
      let isOver = false
      time.plan(ms, () => {
        isOver = true
      })
      await time.run({ untilMs: time.nowMs() + ms + 1, isDone: () => isOver })
      await settle()
    },
  }
}

/** Knows what the brokers that are alive say of their topics. */
function nameServerOf(
  all: readonly ClusterBroker[],
  { random, time }: Parts,
): () => Promise<Channel<Command>> {
  const links = all.map((broker) =>
    openConnection({
      ports: { clock: time.nodeClock(), random: random.fork(`name server ${broker.name}`) },
      connect: () => broker.connect(),
    }),
  )
  async function routeOf(topic: string) {
    const routes: BrokerRoute[] = []
    for (const link of links) {
      if (!link.isUp) continue
      const reply = await link.request(topicRoute, { topic }).catch(() => undefined)
      if (reply?.payload !== undefined) routes.push(reply.payload)
    }
    const [first, ...others] = routes
    if (first === undefined) return { code: ResponseCode.TOPIC_NOT_EXIST, payload: undefined }
    return { code: ResponseCode.SUCCESS, payload: { ...first, others } }
  }
  return () => {
    const [ours, theirs] = channelPair<Command>()
    theirs.onItem((command) => {
      if (command.code === topicRoute.code) {
        const { topic } = requestPayload(topicRoute, command)
        void routeOf(topic).then((answer) => theirs.send(responseOf(command, answer)))
      } else if (command.code === clusterInfo.code) {
        const brokers = all
          .filter(({ broker }) => broker !== undefined)
          .map(({ address, name }) => ({ brokerName: name, brokerAddress: address }))
        theirs.send(responseOf(command, { code: ResponseCode.SUCCESS, payload: { brokers } }))
      }
    })
    return Promise.resolve(ours)
  }
}
