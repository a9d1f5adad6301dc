/**
 * A real broker on a simulated disk and clock, and connections that reach it through memory,
 * through bytes that are cut up anew, or through TCP as from another process. Power can be lost and
 * comes back on what was synced.
 */
import { type Broker, BrokerError, openBroker } from '../../broker/src/index.js'
import { listenTcp } from '../../broker/src/tcp/index.js'
import { type Connection, openConnection } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { assert, type Channel } from '@sagalog/kernel'
import { seededRandom, settle, simulatedTime } from '@sagalog/kernel/testing'
import { LogError } from '../../log-core/src/index.js'
import { simulatedDisk } from '../../log-core/src/testing/index.js'
import { channelPair, type Command, commandChannel } from '@sagalog/protocol'
import { byteChannelPair } from '@sagalog/protocol/testing'
import { afterEach, expect } from 'vitest'

/** 'tcp' has real sockets: their order is the system's, so no seed replays it. */
export type Wire = 'memory' | 'bytes' | 'tcp'

const RETENTION_EVERY_MS = 86_400_000
const LOOPBACK = '127.0.0.1'
/** Turns of the event loop in each simulated millisecond; what lies in a socket arrives in one. */
const SOCKET_TURNS = 2

/** Brokers that the running test opened; those that have died count too. */
const opened: Broker[] = []
const listeners: { close(): Promise<void> }[] = []

/** No broker let a reply go before what it says was safe. Every test ends with this. */
export function expectNoEarlyReplies(): void {
  for (const broker of opened.splice(0)) expect(broker.status().earlyReplies).toBe(0)
}

afterEach(async () => {
  await Promise.all(listeners.splice(0).map((listener) => listener.close()))
  expectNoEarlyReplies()
})

export async function brokerWorld(wire: Wire, { seed = 1, segmentBytes = 4 * 1024 } = {}) {
  const random = seededRandom(seed)
  const time = simulatedTime(random.fork('time'))
  const disk = simulatedDisk({ time, random: random.fork('disk') })
  const ends = new Set<Channel<Command>>()
  let node = time.nodeClock()
  let links = 0
  let broker: Broker | undefined
  let port = 0

  async function run<A>(work: Promise<A>): Promise<A> {
    let isDone = false
    const ended = (): void => {
      isDone = true
    }
    work.then(ended, ended)
    const untilMs = time.nowMs() + 600_000
    if (wire === 'tcp') await runBesideSockets(untilMs, () => isDone)
    else await time.run({ untilMs, isDone: () => isDone })
    assert(isDone, 'the work ends within ten simulated minutes')
    return await work
  }

  /** Sockets take turns of the loop, not simulated time: it must not leap over what they carry. */
  async function runBesideSockets(untilMs: number, isDone: () => boolean): Promise<void> {
    while (!isDone() && time.nowMs() < untilMs) {
      for (let turn = 0; turn < SOCKET_TURNS; turn += 1) await settle()
      time.plan(1, () => {})
      await time.run({ untilMs: time.nowMs() + 1, isDone })
    }
  }

  async function start(): Promise<Broker> {
    const started = await openBroker({
      disk: disk.attach(node),
      clock: node,
      random: random.fork('broker'),
      directory: '/broker',
      segmentBytes,
      // All that is in closed segments is old; it goes when the test says so.
      retention: { maxBytes: 0, everyMs: RETENTION_EVERY_MS },
    })
    opened.push(started)
    if (wire === 'tcp') {
      const listener = await listenTcp(started, { host: LOOPBACK, port: 0 })
      listeners.push(listener)
      port = listener.port
    }
    return started
  }

  function link(): [Channel<Command>, Channel<Command>] {
    if (wire === 'memory') return channelPair<Command>()
    const [left, right] = byteChannelPair(random.fork(`link ${links}`))
    return [commandChannel(left), commandChannel(right)]
  }

  function cut(): void {
    for (const end of ends) end.close('the cable was cut')
    ends.clear()
  }

  function connect(): Connection {
    links += 1
    return openConnection({
      ports: { clock: time.nodeClock(), random: random.fork(`client ${links}`) },
      async connect() {
        assert(broker !== undefined, 'a client is tried again later while nobody listens')
        links += 1
        if (wire === 'tcp') {
          const socket = await connectTcp({ host: LOOPBACK, port })()
          ends.add(socket)
          return socket
        }
        const [near, far] = link()
        ends.add(near)
        broker.accept(far)
        return near
      },
    })
  }

  /** The machine loses its power, or the process dies; its broker starts again at once. */
  async function crash(how: 'power' | 'kill' = 'power'): Promise<void> {
    broker = undefined
    node.kill()
    if (how === 'power') disk.crash()
    else disk.killAll()
    cut()
    node = time.nodeClock()
    broker = await start()
  }

  /** The live facts are written to the log's tail. */
  async function restate(): Promise<void> {
    await broker?.restate().catch(() => undefined)
  }

  /** What is needed neither by the folds nor by a group goes; gives how many segments went. */
  async function retain(): Promise<{ retired: number; rewritten: number }> {
    const none = { retired: 0, rewritten: 0 }
    try {
      const report = await broker?.retain()
      if (report === undefined) return none
      return { retired: report.retired.length, rewritten: report.rewritten.length }
    } catch (thrown) {
      if (!LogError.is(thrown) && !BrokerError.is(thrown)) throw thrown
      return none
    }
  }

  broker = await run(start())
  const status = (): ReturnType<Broker['status']> => {
    assert(broker !== undefined, 'the broker is there')
    return broker.status()
  }
  return { connect, crash, cut, disk, restate, retain, run, status, time }
}
