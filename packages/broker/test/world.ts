/**
 * A broker on a simulated disk and clock, and callers that speak commands to it. Everything above
 * the ports is real.
 */
import type { Channel } from '@sagalog/kernel'
import { seededRandom, simulatedTime, type SimulatedTime } from '@sagalog/kernel/testing'
import { type SimulatedDisk, simulatedDisk } from '@sagalog/log-core/testing'
import {
  channelPair,
  type Command,
  isResponse,
  onewayOf,
  type RequestCodec,
  requestOf,
} from '@sagalog/protocol'
import { type Broker, type BrokerOptions, openBroker } from '../src/index.js'

export interface Reply<Res> {
  readonly code: number
  readonly remark?: string
  readonly payload: Res
}

/** One connection to the broker. */
export class Caller {
  readonly pushes: Command[] = []
  closedBecause: string | undefined
  private readonly time: SimulatedTime
  private readonly channel: Channel<Command>
  private readonly waiting = new Map<number, (command: Command) => void>()
  private opaque = 0

  constructor(time: SimulatedTime, broker: Broker) {
    this.time = time
    const [ours, theirs] = channelPair<Command>()
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
  options: Partial<BrokerOptions> = {},
): Promise<World> {
  const random = seededRandom(seed)
  const time = simulatedTime(random.fork('time'))
  const disk = simulatedDisk({ time, random: random.fork('disk') })
  let clock = time.nodeClock()
  const open = (more: Partial<BrokerOptions> = {}): Promise<Broker> => {
    clock = time.nodeClock()
    const opening = openBroker({
      disk: disk.attach(clock),
      clock,
      random: random.fork('broker'),
      directory: '/broker',
      segmentBytes: 64 * 1024,
      ...options,
      ...more,
    })
    return within(time, opening)
  }
  const world: World = {
    time,
    disk,
    broker: await open(),
    caller: () => new Caller(time, world.broker),
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
