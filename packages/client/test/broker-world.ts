/**
 * A real broker on a simulated disk and clock, and clients that reach it through memory or through
 * bytes that are cut up anew. The broker can lose its power and come back on what was synced.
 */
import { type Broker, type BrokerOptions, openBroker } from '@sagalog/broker'
import type { Channel } from '@sagalog/kernel'
import {
  type NodeClock,
  seededRandom,
  settle,
  simulatedTime,
  type SimulatedTime,
} from '@sagalog/kernel/testing'
import { simulatedDisk } from '@sagalog/log-core/testing'
import { channelPair, type Command, commandChannel } from '@sagalog/protocol'
import { byteChannelPair } from '@sagalog/protocol/testing'
import { afterEach, expect } from 'vitest'
import { type Connection, openConnection } from '../src/index.js'

export type Wire = 'memory' | 'bytes'

/** Brokers that the running test opened; those that have died count too. */
const opened: Broker[] = []

/** No broker let a reply go before what it says was safe. Every test ends with this. */
function expectNoEarlyReplies(): void {
  for (const broker of opened.splice(0)) expect(broker.status().earlyReplies).toBe(0)
}

afterEach(expectNoEarlyReplies)

export interface BrokerWorld {
  readonly time: SimulatedTime
  readonly broker: Broker
  /** Opens a connection of a client process of its own. */
  connect(): { connection: Connection; clock: NodeClock }
  /** The broker's machine loses its power; it comes back after `downMs`. */
  crash(downMs: number): Promise<void>
  /** Cuts all connections; both ends live on. */
  cut(): void
  /** Runs the world until a promise ends, at most ten simulated minutes. */
  until<A>(promise: Promise<A>): Promise<A>
  /** Runs the world until something holds. */
  untilTrue(isDone: () => boolean, what: string): Promise<void>
  pass(ms: number): Promise<void>
}

export async function brokerWorld(
  wire: Wire,
  options: { seed?: number } & Partial<BrokerOptions> = {},
): Promise<BrokerWorld> {
  const { seed = 1, ...brokerOptions } = options
  const random = seededRandom(seed)
  const time = simulatedTime(random.fork('time'))
  const disk = simulatedDisk({ time, random: random.fork('disk') })
  const ends = new Set<Channel<Command>>()
  let node = time.nodeClock()
  let broker: Broker | undefined

  async function open(): Promise<void> {
    broker = await until(
      openBroker({
        disk: disk.attach(node),
        clock: node,
        random: random.fork('broker'),
        directory: '/broker',
        segmentBytes: 8 * 1024,
        ...brokerOptions,
      }),
    )
    opened.push(broker)
  }
  function join(): [Channel<Command>, Channel<Command>] {
    if (wire === 'memory') return channelPair<Command>()
    const [left, right] = byteChannelPair(random.fork(`wire ${ends.size}`))
    return [commandChannel(left), commandChannel(right)]
  }
  async function until<A>(promise: Promise<A>): Promise<A> {
    let isDone = false
    const mark = (): void => {
      isDone = true
    }
    promise.then(mark, mark)
    const end = await time.run({ untilMs: time.nowMs() + 600_000, isDone: () => isDone })
    if (!isDone) throw new Error(`the world came to its end (${end}) before the promise`)
    return promise
  }
  function cut(): void {
    for (const end of [...ends]) end.close('the cable was cut')
    ends.clear()
  }

  await open()
  return {
    time,
    get broker() {
      if (broker === undefined) throw new Error('the broker is down')
      return broker
    },
    connect() {
      const clock = time.nodeClock()
      const connection = openConnection({
        ports: { clock, random: random.fork(`client ${time.nowMs()} ${ends.size}`) },
        connect() {
          if (broker === undefined) return Promise.reject(new Error('nobody listens'))
          const [ours, theirs] = join()
          ends.add(ours)
          broker.accept(theirs)
          return Promise.resolve(ours)
        },
      })
      return { connection, clock }
    },
    async crash(downMs) {
      broker = undefined
      node.kill()
      disk.crash()
      cut()
      await pass(downMs)
      node = time.nodeClock()
      await open()
    },
    cut,
    until,
    async untilTrue(isDone, what) {
      await time.run({ untilMs: time.nowMs() + 600_000, isDone })
      if (!isDone()) throw new Error(`it never came to pass: ${what}`)
    },
    pass,
  }

  async function pass(ms: number): Promise<void> {
    let isOver = false
    time.plan(ms, () => {
      isOver = true
    })
    await time.run({ untilMs: time.nowMs() + ms + 1, isDone: () => isOver })
    await settle()
  }
}
