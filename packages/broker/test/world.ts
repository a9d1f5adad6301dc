/**
 * A broker on a simulated disk and clock, and callers that speak commands to it, in memory or over
 * bytes that are cut anywhere. Everything above the ports is real.
 */
import type { Channel, Random } from '@sagalog/kernel'
import { seededRandom, simulatedTime, type SimulatedTime } from '@sagalog/kernel/testing'
import { type SimulatedDisk, simulatedDisk } from '@sagalog/log-core/testing'
import {
  channelPair,
  type Command,
  commandChannel,
  isResponse,
  onewayOf,
  type RequestCodec,
  requestOf,
  type SendMessageRequest,
} from '@sagalog/protocol'
import { byteChannelPair } from '@sagalog/protocol/testing'
import { afterEach, expect } from 'vitest'
import { type Broker, type BrokerOptions, openBroker } from '../src/index.js'

/** What joins a caller and the broker. */
export type Wire = 'memory' | 'bytes'
export const wires: readonly Wire[] = ['memory', 'bytes']

/** Brokers that the running test opened; those that have died count too. */
const opened: Broker[] = []

/** No broker let a reply go before what it says was safe. Every test ends with this. */
export function expectNoEarlyReplies(): void {
  for (const broker of opened.splice(0)) expect(broker.status().earlyReplies).toBe(0)
}

afterEach(expectNoEarlyReplies)

export interface Reply<Res> {
  readonly code: number
  readonly remark?: string
  readonly payload: Res
}

type Link = readonly [Channel<Command>, Channel<Command>]

function linkBy(wire: Wire, random: Random): Link {
  if (wire === 'memory') return channelPair<Command>()
  const [left, right] = byteChannelPair(random)
  return [commandChannel(left), commandChannel(right)]
}

/** One connection to the broker. */
export class Caller {
  readonly pushes: Command[] = []
  closedBecause: string | undefined
  private readonly time: SimulatedTime
  private readonly channel: Channel<Command>
  private readonly waiting = new Map<number, (command: Command) => void>()
  private opaque = 0

  constructor(time: SimulatedTime, broker: Broker, [ours, theirs]: Link) {
    this.time = time
    this.channel = ours
    ours.onItem((command) => {
      if (isResponse(command)) this.waiting.get(command.opaque)?.(command)
      else this.pushes.push(command)
    })
    ours.onClose((reason) => {
      this.closedBecause = reason
    })
    broker.accept(theirs)
  }

  /** Asks without waiting; the promise settles while time runs. */
  ask<Req, Res>(codec: RequestCodec<Req, Res>, request: Req): Promise<Reply<Res>> {
    this.opaque += 1
    const { opaque } = this
    return new Promise((resolve) => {
      this.waiting.set(opaque, (command) => resolve(command as unknown as Reply<Res>))
      this.channel.send(requestOf(codec, opaque, request))
    })
  }

  tell<Req, Res>(codec: RequestCodec<Req, Res>, request: Req): void {
    this.channel.send(onewayOf(codec, 0, request))
  }

  /** Asks and lets simulated time run until the answer is there, at most 60 seconds. */
  async call<Req, Res>(codec: RequestCodec<Req, Res>, request: Req): Promise<Reply<Res>> {
    return within(this.time, this.ask(codec, request))
  }

  close(): void {
    this.channel.close('the caller is gone')
  }
}

/** Runs simulated time until the promise has settled. */
export async function within<Value>(
  time: SimulatedTime,
  promise: Promise<Value>,
  forMs = 60_000,
): Promise<Value> {
  let isSettled = false
  const watched = promise.finally(() => {
    isSettled = true
  })
  watched.catch(() => undefined)
  await time.run({ untilMs: time.nowMs() + forMs, isDone: () => isSettled })
  if (!isSettled) throw new Error(`nothing happened within ${forMs} simulated ms`)
  return watched
}

export interface World {
  readonly time: SimulatedTime
  readonly disk: SimulatedDisk
  broker: Broker
  caller(): Caller
  /** The process dies; what the operating system had is kept. */
  kill(): void
  /** Power is lost: what was not synced may be gone, sector by sector. */
  crash(): void
  reopen(options?: Partial<BrokerOptions>): Promise<void>
  run(forMs: number): Promise<void>
}

export async function openWorld(
  seed: number,
  { wire = 'memory', ...options }: Partial<BrokerOptions> & { readonly wire?: Wire } = {},
): Promise<World> {
  const random = seededRandom(seed)
  const time = simulatedTime(random.fork('time'))
  const disk = simulatedDisk({ time, random: random.fork('disk') })
  let clock = time.nodeClock()
  const open = async (more: Partial<BrokerOptions> = {}): Promise<Broker> => {
    clock = time.nodeClock()
    const opening = openBroker({
      disk: disk.attach(clock),
      clock,
      random: random.fork('broker'),
      directory: '/broker',
      segmentBytes: 4 * 1024,
      ...options,
      ...more,
    })
    const broker = await within(time, opening)
    opened.push(broker)
    return broker
  }
  let links = 0
  const world: World = {
    time,
    disk,
    broker: await open(),
    caller() {
      links += 1
      return new Caller(time, world.broker, linkBy(wire, random.fork(`link ${links}`)))
    },
    kill() {
      clock.kill()
      disk.killProcess(clock)
    },
    crash() {
      clock.kill()
      disk.crash()
    },
    async reopen(more) {
      world.broker = await open(more)
    },
    async run(forMs) {
      await time.run({ untilMs: time.nowMs() + forMs })
    },
  }
  return world
}

/** A send that a broker takes, with what the test wants otherwise. */
export const messageOf = (topic: string, body: string, more: Partial<SendMessageRequest> = {}) => ({
  producerGroup: 'P',
  topic,
  defaultTopic: 'TBW102',
  defaultTopicQueueNums: 4,
  queueId: 0,
  sysFlag: 0,
  bornTimestampMs: 1,
  flag: 0,
  properties: '',
  reconsumeTimes: 0,
  body: Buffer.from(body),
  ...more,
})

const digits = (value: number, count: number): string =>
  value.toString(16).toUpperCase().padStart(count, '0')

/** The unique id of a numbered send, as the protocol draws it. */
export const uniqueKey = (send: { producer: number; number: number; span: number }): string =>
  digits(send.producer, 12) +
  digits(Math.floor(send.number / 0x1_0000), 4) +
  digits(send.span, 4) +
  '00000000' +
  digits(send.number % 0x1_0000, 4)
