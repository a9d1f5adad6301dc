/** The contract of sending, with the real broker on a simulated machine, and with two of them. */
import * as t from 'io-ts'
import { expect, it } from 'vitest'
import { type Connection, createConsumer, createProducer } from '../src/index.js'
import { topic, type Topic } from '../src/index.js'
import { type BrokerWorld, brokerWorld, type Wire } from './broker-world.js'
import type { ContractWorld, Found } from './contract-world.js'
import { sendingSuite } from './sending-suite.js'
import { simulatedCluster } from './simulated-cluster.js'

async function ownBroker(wire: Wire): Promise<ContractWorld> {
  const transactions = { checkAfterMs: 500, checkEveryMs: 500 }
  const world = await brokerWorld(wire, { segmentBytes: 64 * 1024, transactions })
  const { connection } = world.connect()
  return { ...reading(world, connection), crash: (downMs) => world.crash(downMs) }
}

async function cluster(): Promise<ContractWorld> {
  const world = await simulatedCluster()
  return reading(world, world.connect())
}

type Simulated = Pick<BrokerWorld, 'time' | 'until' | 'untilTrue' | 'pass'>

function reading(world: Simulated, connection: Connection): ContractWorld {
  const clock = world.time.nodeClock()
  return {
    connection,
    nowMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    until: (promise) => world.until(promise),
    untilTrue: (isDone, what) => world.untilTrue(isDone, what),
    pass: (ms) => world.pass(ms),
    async read<A>(from: Topic<A>, count: number) {
      const seen: Found<A>[] = []
      const consumer = createConsumer(connection, { group: 'readers', instance: 'one' })
      consumer.listen(from, async (message) => void seen.push(message), { order: 'orderly' })
      await world.until(consumer.start())
      await world.untilTrue(() => seen.length >= count, `${count} messages in ${from.name}`)
      await world.pass(1_000)
      await world.until(consumer.close())
      return seen
    },
  }
}

const isFull = process.env['SAGALOG_FULL'] === '1'
const wires: readonly Wire[] = isFull ? ['memory', 'bytes'] : ['bytes']

for (const wire of wires)
  sendingSuite({
    name: `a broker joined by ${wire}`,
    delays: { earlyMs: 0, lateMs: 500 },
    open: () => ownBroker(wire),
  })

if (isFull)
  sendingSuite({
    name: 'two brokers that are a cluster',
    delays: { earlyMs: 0, lateMs: 500 },
    open: cluster,
  })

it('a topic that nobody made has no route, and the error says what to do', async () => {
  const world = await brokerWorld('bytes', { autoCreateTopics: false })
  const producer = createProducer(world.connect().connection, { group: 'p' })
  const failed = world.until(producer.send(topic('nowhere', t.number), 1))
  await expect(failed).rejects.toThrow('No route info of this topic, nowhere')
  await expect(failed).rejects.toMatchObject({
    code: 'NO_ROUTE',
    state: 'unchanged',
    advice: expect.stringContaining('ensureTopic') as string,
  })
})
