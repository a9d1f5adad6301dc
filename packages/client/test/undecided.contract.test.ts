/** Transactions that nobody confirms: asked for, parked, decided by a person, never flipped. */
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import {
  type CheckBack,
  type Connection,
  createConsumer,
  createProducer,
  type Decision,
  ensureTopic,
  type Half,
  topic,
  undecidedHalves,
} from '../src/index.js'
import { type BrokerWorld, brokerWorld, type Wire } from './broker-world.js'

const Payments = topic('payments', t.number, { queues: 1 })
const OPTIONS = { transactions: { checkAfterMs: 1_000, checkEveryMs: 2_000, checksMax: 3 } }

async function open(wire: Wire) {
  const world = await brokerWorld(wire, OPTIONS)
  const { connection } = world.connect()
  await world.until(ensureTopic(connection, Payments))
  const seen: number[] = []
  const consumer = createConsumer(connection, { group: 'g', instance: 'one' })
  consumer.listen(Payments, async ({ body }) => void seen.push(body))
  await world.until(consumer.start())
  return { world, connection, seen }
}

async function half(
  world: BrokerWorld,
  connection: Connection,
  body: number,
  checkBack: CheckBack,
): Promise<{ half: Half; outcome: Decision }> {
  const producer = createProducer(connection, { group: 'p', checkBack })
  const options = { keys: [`pay-${body}`] }
  return world.until(producer.sendInTransaction(Payments, body, options, async () => 'unknown'))
}

describe.each<Wire>(['memory', 'bytes'])('a client and a broker joined by %s', (wire) => {
  it('ask three times, at their interval, then park it in sight, over a crash', async () => {
    const { world, connection, seen } = await open(wire)
    const asked: number[] = []
    const startMs = world.time.nowMs()
    await half(world, connection, 1, async () => {
      asked.push(world.time.nowMs() - startMs)
      return 'unknown'
    })
    const desk = undecidedHalves(connection)
    expect(await world.until(desk.list())).toEqual([])
    expect(await world.until(desk.list({ all: true }))).toMatchObject([
      { group: 'p', checks: 0, isParked: false, message: { topic: 'payments', keys: ['pay-1'] } },
    ])
    await world.untilTrue(() => asked.length === 2, 'two checks')
    await world.crash(100)
    await world.pass(20_000)
    expect(asked.length).toBeGreaterThanOrEqual(3)
    expect(asked.length).toBeLessThanOrEqual(4)
    expect(asked[0]).toBeGreaterThanOrEqual(1_000)
    expect((asked[1] ?? 0) - (asked[0] ?? 0)).toBeGreaterThanOrEqual(2_000)
    const [parked] = await world.until(desk.list())
    expect(parked).toMatchObject({ group: 'p', checks: 3, isParked: true })
    expect(parked?.message.body.toString()).toBe('1')
    expect(world.broker.status().halvesParked).toBe(1)
    await world.pass(120_000)
    expect(asked.length).toBeLessThanOrEqual(4)
    expect(seen).toEqual([])
  })

  it.each(['commit', 'rollback'] as const)(
    'let a person %s what is parked; later confirmations flip nothing',
    async (decision) => {
      const { world, connection, seen } = await open(wire)
      await half(world, connection, 7, async () => 'unknown')
      await world.pass(20_000)
      const desk = undecidedHalves(connection)
      const [parked] = await world.until(desk.list())
      if (parked === undefined) throw new Error('nothing is parked')
      await world.crash(100)
      const other = decision === 'commit' ? 'rollback' : 'commit'
      expect(await world.until(desk.resolve(parked, decision))).toBe(decision)
      expect(await world.until(desk.resolve(parked, other))).toBe(decision)
      await world.crash(100)
      expect(await world.until(desk.resolve(parked, other))).toBe(decision)
      expect(await world.until(desk.list({ all: true }))).toEqual([])
      await world.pass(5_000)
      expect(seen).toEqual(decision === 'commit' ? [7] : [])
    },
  )

  it('lists more than one answer takes, oldest first', async () => {
    const { world, connection } = await open(wire)
    for (let n = 0; n < 130; n += 1) await half(world, connection, n, async () => 'unknown')
    const all = await world.until(undecidedHalves(connection).list({ all: true }))
    expect(all.map(({ message }) => Number(message.body.toString()))).toEqual(
      Array.from({ length: 130 }, (_, n) => n),
    )
  })
})
