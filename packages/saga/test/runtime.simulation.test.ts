/**
 * Whole sagas on the real broker: simulated disk, clock and channels; everything else is real.
 *
 *   SAGALOG_FULL=1       more worlds, as many as fit into a box of time
 */
import { createConsumer } from '@sagalog/client'
import { createEventStore } from '@sagalog/event-store'
import type { Saga, SagaEvent } from '@sagalog/saga'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { anOrder, Confirmations, type OrderInput, placeOrder, placeOrderInLane } from './orders.js'
import {
  type Behaviour,
  Effects,
  expectNoEarlyReplies,
  type ServiceName,
  type Wire,
  wires,
  World,
} from './world.js'

const isFull = process.env['SAGALOG_FULL'] === '1'
const BOX_MS = 6_000

const plain = (service: ServiceName, order: number): Behaviour => {
  if (service === 'stock' && order % 5 === 1) return 'refused'
  if (service === 'payment' && order % 5 === 2) return 'refused'
  if (service === 'payment' && order % 5 === 3) return 'silent'
  return 'done'
}
const patience = (order: number): number => (order % 5 === 3 ? 50 : 86_400_000)

describe.each(wires)('a saga runtime and a broker joined by %s', (wire) => {
  it('brings orders to their ends', async () => {
    const world = new World({ wire, seed: 1, saga: placeOrder, behaviour: plain })
    await world.until(world.openBroker())
    await world.until(world.startService('stock'))
    await world.until(world.startService('payment'))
    const runtime = await world.until(world.startRuntime('r1'))
    for (let order = 1; order <= 10; order += 1) {
      const input = anOrder(order, { patienceMs: patience(order) })
      await world.until(runtime.startSaga(placeOrder, `o${order}`, input))
      await world.until(runtime.startSaga(placeOrder, `o${order}`, input))
    }
    await world.runUntil(() => world.ended.length >= 10, 60_000)
    expect(world.problems).toEqual([])
    const outcomes = Object.fromEntries(
      world.ended.map(({ sagaId, reason }) => [sagaId, reason?.kind ?? 'completed']),
    )
    expect(outcomes).toEqual({
      o1: 'refused',
      o2: 'refused',
      o3: 'timeout',
      o4: 'completed',
      o5: 'completed',
      o6: 'refused',
      o7: 'refused',
      o8: 'timeout',
      o9: 'completed',
      o10: 'completed',
    })
    expect(runtime.counters).toMatchObject({ started: 10, completed: 4, compensated: 6, parked: 0 })
    await world.close()
  })
})

interface Reached {
  sagas: number
  kills: number
  brokerCrashes: number
  rolls: number
  completed: number
  refused: number
  timeout: number
}

const CUSTOMERS = 3
const ORDERS = 15

function shuffled<A>(items: readonly A[], world: World): readonly A[] {
  const rest = [...items]
  return items.flatMap(() => rest.splice(world.draw(rest.length), 1))
}

/** True once the start is stored; false when its runtime was killed, so that it may never end. */
async function endsHere(world: World, start: Promise<unknown>): Promise<boolean> {
  const { runtime } = world
  const state = { isOver: false }
  const ended = start.finally(() => {
    state.isOver = true
  })
  const replaced = async (): Promise<void> => {
    while (!state.isOver && world.runtime === runtime)
      await new Promise<void>((resolve) => world.time.plan(30, resolve))
  }
  return Promise.race([ended.then(() => true), replaced().then(() => false)])
}

/** Sends a start until it is known to be stored, as a gateway that retries would. */
async function keepStarting(
  world: World,
  saga: Saga<OrderInput, unknown, unknown>,
  input: OrderInput,
): Promise<void> {
  for (;;) {
    try {
      const start = world.runtime?.startSaga(saga, `o${input.order}`, input)
      if (start === undefined || (await endsHere(world, start))) return
    } catch (cause) {
      world.problems.push(String(cause))
      await new Promise<void>((resolve) => world.time.plan(30, resolve))
    }
  }
}

async function runWithKills(
  wire: Wire,
  seed: number,
  saga: Saga<OrderInput, unknown, unknown>,
  reached: Reached,
): Promise<World> {
  const world = new World({ wire, seed, saga, behaviour: plain })
  await world.until(world.openBroker())
  await world.until(world.startService('stock'))
  await world.until(world.startService('payment'))
  await world.until(world.startRuntime('r1'))
  await world.until(world.startRuntime('r2'))
  const inputs = Array.from({ length: ORDERS }, (_, index) =>
    anOrder(index + 1, {
      customer: `c${index % CUSTOMERS}`,
      place: Math.floor(index / CUSTOMERS) + 1,
      patienceMs: patience(index + 1),
    }),
  )
  const twice = shuffled([...inputs, ...inputs.slice(0, 4)], world)
  const starts = Promise.all(
    twice.map(async (input, index) => {
      await new Promise<void>((resolve) => world.time.plan(index * 5, resolve))
      await keepStarting(world, saga, input)
    }),
  )
  for (let kill = 0; kill < 4; kill += 1) {
    await world.runUntil(() => false, 5 + world.draw(120))
    if (world.draw(3) > 0) {
      world.restart(world.processes[world.draw(world.processes.length)] ?? 'r1')
      continue
    }
    reached.brokerCrashes += 1
    world.crashBroker()
    await world.until(world.openBroker())
  }
  await world.until(starts)
  const ids = (): number => new Set(world.ended.map(({ sagaId }) => sagaId)).size
  await world.runUntil(() => ids() >= ORDERS, 20_000)
  // An end whose commit was the last thing before a kill was told to nobody; its stream has it.
  await world.runUntil(() => false, 6_000)
  reached.kills += world.kills
  reached.rolls += world.rolls
  return world
}

const named = (events: readonly SagaEvent[], type: SagaEvent['type']): number =>
  events.filter((event) => event.type === type).length

/** Reads everything again from the streams, and holds it against what must be true. */
async function audit(
  world: World,
  saga: Saga<OrderInput, unknown, unknown>,
  reached: Reached,
): Promise<void> {
  const connection = world.connect(world.time.nodeClock(), 'audit')
  const store = createEventStore(connection)
  const confirmed: number[] = []
  const consumer = createConsumer(connection, { group: 'audit', instance: 'a' })
  consumer.listen(Confirmations, async ({ body }) => void confirmed.push(body.order))
  await consumer.start()
  const completed: number[] = []
  for (let order = 1; order <= ORDERS; order += 1) {
    const { events } = await store.read(saga.events, `o${order}`)
    expect(named(events, 'Completed') + named(events, 'Compensated'), `o${order} ends once`).toBe(1)
    const end = events.at(-1)
    const outcome = end?.type === 'Compensated' ? end.data.reason.kind : 'completed'
    const due = ['completed', 'refused', 'refused', 'timeout', 'completed'][order % 5]
    expect(outcome, `o${order}`).toBe(due)
    if (outcome === 'completed' || outcome === 'refused' || outcome === 'timeout')
      reached[outcome] += 1
    if (outcome === 'completed') completed.push(order)
    for (const service of ['stock', 'payment']) {
      const { events: effects } = await store.read(Effects, `o${order}/${service}`)
      const count = (type: string): number => effects.filter((one) => one.type === type).length
      expect(count('Done'), `done at most once: ${service} of o${order}`).toBeLessThanOrEqual(1)
      expect(count('Undone'), `undone what was done: ${service} of o${order}`).toBe(
        outcome === 'completed' ? 0 : count('Done'),
      )
      if (outcome === 'completed') expect(count('Done')).toBe(1)
    }
  }
  if (saga.hasLane)
    for (let customer = 0; customer < CUSTOMERS; customer += 1) {
      const { events } = await store.read(saga.laneEvents, `c${customer}`)
      const moves = events.filter(({ type }) => type !== 'LaneQueued')
      expect(moves.map(({ type, data }) => `${type} ${data.place}`)).toEqual(
        Array.from({ length: ORDERS / CUSTOMERS }, (_, index) => [
          `LaneStarted ${index + 1}`,
          `LaneEnded ${index + 1}`,
        ]).flat(),
      )
    }
  while (confirmed.length < completed.length)
    await new Promise<void>((resolve) => world.time.plan(10, resolve))
  await new Promise<void>((resolve) => world.time.plan(100, resolve))
  expect(
    confirmed.toSorted((a, b) => a - b),
    'each confirmed once',
  ).toEqual(completed)
  expectNoEarlyReplies()
  reached.sagas += ORDERS
  connection.close()
}

describe.each(wires)('sagas while processes and the broker die, joined by %s', (wire) => {
  const numRuns = wire === 'memory' ? 15 : 10
  for (const saga of [placeOrder, placeOrderInLane])
    it(`end as they must, each effect once: ${saga.name}`, async () => {
      const reached: Reached = {
        sagas: 0,
        kills: 0,
        brokerCrashes: 0,
        rolls: 0,
        completed: 0,
        refused: 0,
        timeout: 0,
      }
      let runs = 0
      const world = fc.asyncProperty(fc.integer({ min: 0 }), async (seed) => {
        runs += 1
        const ended = await runWithKills(wire, seed, saga, reached)
        try {
          await ended.until(audit(ended, saga, reached))
        } finally {
          await ended.close()
        }
      })
      await fc.assert(world, { numRuns, endOnFailure: true })
      const box = { interruptAfterTimeLimit: BOX_MS, markInterruptAsFailure: false }
      if (isFull) await fc.assert(world, { numRuns: 10 * numRuns, endOnFailure: true, ...box })
      expect(runs).toBeGreaterThanOrEqual(numRuns)
      for (const [what, count] of Object.entries(reached))
        expect(count, `reached: ${what}`).toBeGreaterThan(runs / 5)
    }, 120_000)
})
