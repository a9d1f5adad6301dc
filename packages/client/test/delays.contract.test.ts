/** Messages that wait: for a time, by level, until a time; with clocks that jump and crashes. */
import { type SimulatedTime } from '@sagalog/kernel/testing'
import * as t from 'io-ts'
import { afterAll, describe, expect, it } from 'vitest'
import {
  type Connection,
  createConsumer,
  createProducer,
  ensureTopic,
  openTx,
  topic,
} from '../src/index.js'
import { type BrokerWorld, brokerWorld, type Wire } from './broker-world.js'

const Later = topic('later', t.number, { queues: 2 })

interface Arrival {
  readonly n: number
  /** Milliseconds that passed, and what the broker's wall clock read. */
  readonly atMs: number
  readonly wallMs: number
}

const reached = { crashes: 0, back: 0, ahead: 0 }
afterAll(() => {
  for (const [what, count] of Object.entries(reached)) expect(count, what).toBeGreaterThan(5)
})

const wallOf = (time: SimulatedTime): number => time.nodeClock().wallMs()

async function open(wire: Wire, seed = 1) {
  const world = await brokerWorld(wire, { seed })
  const { connection } = world.connect()
  await world.until(ensureTopic(connection, Later))
  return { world, connection, producer: createProducer(connection, { group: 'p' }) }
}

async function arrivals(world: BrokerWorld, connection: Connection): Promise<Arrival[]> {
  const seen: Arrival[] = []
  const consumer = createConsumer(connection, { group: 'g', instance: 'one' })
  consumer.listen(Later, async ({ body }) => {
    seen.push({ n: body, atMs: world.time.nowMs(), wallMs: wallOf(world.time) })
  })
  await world.until(consumer.start())
  return seen
}

describe.each<Wire>(['memory', 'bytes'])('a client and a broker joined by %s', (wire) => {
  it('keep a message back for a time, by level, until a time, and from a commit on', async () => {
    const { world, connection, producer } = await open(wire)
    const seen = await arrivals(world, connection)
    const { time, until } = world
    const startMs = time.nowMs()
    await until(producer.send(Later, 1, { delayMs: 700 }))
    await until(producer.send(Later, 2, { delayLevel: 2 }))
    await until(producer.send(Later, 3, { deliverAtMs: wallOf(time) + 3_000 }))
    await until(producer.send(Later, 4, { deliverAtMs: wallOf(time) - 1 }))
    await until(producer.send(Later, 5, { delayMs: 0 }))
    const tx = openTx(connection)
    tx.send(Later, 6, { delayMs: 900, shardingKey: 'k' })
    tx.send(Later, 7, { deliverAtMs: wallOf(time) + 2_000 })
    tx.send(Later, 8)
    await until(tx.commit())
    await world.untilTrue(() => seen.length === 8, 'all came')
    const after = (n: number): number => (seen.find((one) => one.n === n)?.atMs ?? 0) - startMs
    const least: Record<number, number> = { 1: 700, 2: 5_000, 3: 3_000, 6: 900, 7: 2_000 }
    for (let n = 1; n <= 8; n += 1) {
      expect(after(n)).toBeGreaterThanOrEqual(least[n] ?? 0)
      expect(after(n)).toBeLessThan((least[n] ?? 0) + 500)
    }
  })

  it('refuse a delay that makes no sense, before anything leaves the process', async () => {
    const { producer } = await open(wire)
    for (const options of [
      { delayMs: 5, delayLevel: 1 },
      { delayLevel: 19 },
      { delayMs: -1 },
      { delayMs: Number.NaN },
    ])
      await expect(producer.send(Later, 1, options)).rejects.toMatchObject({
        code: 'INVALID_MESSAGE',
      })
  })

  it('refuse a delay of more than ten years, and say which property asks for it', async () => {
    const { world, producer } = await open(wire)
    const send = producer.send(Later, 1, { delayMs: 1e12 })
    await expect(world.until(send)).rejects.toThrow('TIMER_DELAY_MS')
  })

  it.each([1, 2, 3, 4, 5])(
    'deliver each once and never early, whatever the clocks and the power do (seed %i)',
    async (seed) => {
      const { world, connection, producer } = await open(wire, seed)
      const seen = await arrivals(world, connection)
      const { time } = world
      const untilTime = new Map<number, number>()
      let hasJumped = false
      for (let n = 0; n < 40; n += 1) {
        const ms = ((n * 7919 * seed) % 60) * 1_000
        if (n % 2 === 0) {
          await world.until(producer.send(Later, n, { delayMs: ms }))
        } else {
          const atMs = wallOf(time) + ms
          untilTime.set(n, atMs)
          await world.until(producer.send(Later, n, { deliverAtMs: atMs }))
        }
        if (n % 10 === 4) {
          const isBack = (n + seed) % 3 === 0
          time.jumpWall(isBack ? -20_000 : 15_000)
          hasJumped = true
          reached[isBack ? 'back' : 'ahead'] += 1
        }
        if (n % 20 === 17) {
          await world.crash(300)
          reached.crashes += 1
        }
        await world.pass(1_000)
      }
      expect(hasJumped).toBe(true)
      await world.pass(180_000)
      expect(seen.map(({ n }) => n).sort((left, right) => left - right)).toEqual(
        Array.from({ length: 40 }, (_, n) => n),
      )
      // A time of delivery is the wall clock's; it may be set back again before the handler looks.
      for (const { n, wallMs } of seen) {
        const atMs = untilTime.get(n)
        if (atMs !== undefined) expect(wallMs).toBeGreaterThanOrEqual(atMs)
      }
    },
  )

  it('run a delay by the monotonic clock, and a time of delivery by the wall clock', async () => {
    const { world, connection, producer } = await open(wire)
    const seen = await arrivals(world, connection)
    const { time, until } = world
    const startMs = time.nowMs()
    await until(producer.send(Later, 1, { delayMs: 60_000 }))
    await until(producer.send(Later, 2, { deliverAtMs: wallOf(time) + 60_000 }))
    time.jumpWall(-30_000)
    await world.untilTrue(() => seen.length === 1, 'the delay is over')
    expect(seen[0]?.n).toBe(1)
    expect((seen[0]?.atMs ?? 0) - startMs).toBeLessThan(61_000)
    await world.untilTrue(() => seen.length === 2, 'the time has come')
    expect((seen[1]?.atMs ?? 0) - startMs).toBeGreaterThanOrEqual(90_000)
    // Set ahead, the wall clock reads the time long before it was expected.
    await until(producer.send(Later, 3, { deliverAtMs: wallOf(time) + 3_600_000 }))
    await until(producer.send(Later, 4, { delayMs: 3_600_000 }))
    time.jumpWall(3_600_000)
    await world.pass(10_000)
    expect(seen.map(({ n }) => n)).toEqual([1, 2, 3])
    await world.pass(3_600_000)
    expect(seen.map(({ n }) => n)).toEqual([1, 2, 3, 4])
  })
})
