/** The contract of consuming, with one broker of our own, and with two that are a cluster. */
import { brokerWorld, type Wire } from './broker-world.js'
import { consumingSuite, type ConsumingWorld } from './consuming-suite.js'
import { placesInMemory } from './places-in-memory.js'
import { simulatedCluster } from './simulated-cluster.js'

async function ownBroker(wire: Wire): Promise<ConsumingWorld> {
  const world = await brokerWorld(wire)
  const clock = world.time.nodeClock()
  return {
    connect: () => world.connect().connection,
    wallMs: () => clock.wallMs(),
    until: (promise) => world.until(promise),
    untilTrue: (isDone, what) => world.untilTrue(isDone, what),
    pass: (ms) => world.pass(ms),
    crash: () => world.crash(100),
  }
}

async function cluster(): Promise<ConsumingWorld> {
  const world = await simulatedCluster()
  const places = placesInMemory()
  const clock = world.time.nodeClock()
  return {
    connect: () => world.connect(places),
    wallMs: () => clock.wallMs(),
    until: (promise) => world.until(promise),
    untilTrue: (isDone, what) => world.untilTrue(isDone, what),
    pass: (ms) => world.pass(ms),
    async crash() {
      world.a.kill()
      await world.pass(100)
      await world.until(world.a.open())
    },
  }
}

// The own broker has tests of its own; here it shows that the contract is the same.
const wires: readonly Wire[] = process.env['SAGALOG_FULL'] === '1' ? ['memory', 'bytes'] : []
for (const wire of wires)
  consumingSuite({
    name: `a broker joined by ${wire}`,
    settlesAny: true,
    quietMs: 20_000,
    open: () => ownBroker(wire),
  })

consumingSuite({
  name: 'a cluster of two',
  settlesAny: false,
  quietMs: 20_000,
  open: cluster,
})
