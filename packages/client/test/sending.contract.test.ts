/** The contract of sending, with the real broker on a simulated machine. */
import { createConsumer, type Topic } from '../src/index.js'
import { brokerWorld, type Wire } from './broker-world.js'
import type { ContractWorld, Found } from './contract-world.js'
import { sendingSuite } from './sending-suite.js'

async function open(wire: Wire): Promise<ContractWorld> {
  const transactions = { checkAfterMs: 500, checkEveryMs: 500 }
  const world = await brokerWorld(wire, { segmentBytes: 64 * 1024, transactions })
  const { clock, connection } = world.connect()
  return {
    connection,
    nowMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    until: (promise) => world.until(promise),
    untilTrue: (isDone, what) => world.untilTrue(isDone, what),
    pass: (ms) => world.pass(ms),
    crash: (downMs) => world.crash(downMs),
    async read<A>(topic: Topic<A>, count: number) {
      const seen: Found<A>[] = []
      const consumer = createConsumer(connection, { group: 'readers', instance: 'one' })
      consumer.listen(topic, async (message) => void seen.push(message), { order: 'orderly' })
      await world.until(consumer.start())
      await world.untilTrue(() => seen.length >= count, `${count} messages in ${topic.name}`)
      await world.pass(1_000)
      await world.until(consumer.close())
      return seen
    },
  }
}

const wires: readonly Wire[] = process.env['SAGALOG_FULL'] === '1' ? ['memory', 'bytes'] : ['bytes']

for (const wire of wires)
  sendingSuite({
    name: `a broker joined by ${wire}`,
    delays: { earlyMs: 0, lateMs: 500 },
    open: () => open(wire),
  })
