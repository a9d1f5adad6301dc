/** A poisoned key waits for a person, the others go on, and its order holds through all of it. */
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { createConsumer, createProducer, deadLettersOf, ensureTopic } from '../src/index.js'
import { type ParkedKeyName, parkedKeysOf, topic } from '../src/index.js'
import { type BrokerWorld, brokerWorld, type Wire } from './broker-world.js'

const Orders = topic('orders', t.type({ n: t.number }), { queues: 1 })
const Loose = topic('orders', t.unknown, { queues: 1 })

const ANN: ParkedKeyName = { topic: 'orders', queueId: 0, key: 'ann' }

async function shop(wire: Wire, seed = 1) {
  const world = await brokerWorld(wire, { seed, leaseMs: 2_000 })
  const { connection } = world.connect()
  await world.until(ensureTopic(connection, Orders))
  const seen: string[] = []
  const poison = new Set<number>()
  const open = async (instance: string) => {
    const own = world.connect()
    const options = { group: 'g', instance, retryMs: 5, attemptsMax: 2 }
    const consumer = createConsumer(own.connection, { ...options, onPoison: 'park-key' })
    consumer.listen(
      Orders,
      async ({ body: { n }, key }) => {
        if (poison.has(n)) throw new Error(`no ${n}`)
        seen.push(`${key ?? '-'}${n}`)
      },
      { order: 'orderly' },
    )
    await world.until(consumer.start())
    return { ...own, consumer }
  }
  const producer = createProducer(connection, { group: 'p' })
  const send = (key: string, ...numbers: number[]) =>
    world.until(Promise.all(numbers.map((n) => producer.send(Orders, { n }, { shardingKey: key }))))
  const keys = parkedKeysOf(connection, 'g')
  const isSettled = () => {
    const queues = world.broker.status().queues.filter(({ group }) => group === 'g')
    return queues.length > 0 && queues.every(({ maxOffset, watermark }) => watermark === maxOffset)
  }
  return { world, connection, seen, poison, open, producer, send, keys, isSettled }
}

const settled = ({ world, isSettled }: { world: BrokerWorld; isSettled: () => boolean }) =>
  world.untilTrue(isSettled, 'all is settled')

it('asks for a listener that can park', async () => {
  const { connection } = (await brokerWorld('memory', { seed: 1 })).connect()
  const consumer = createConsumer(connection, { group: 'g', instance: 'i', onPoison: 'park-key' })
  consumer.listen(Orders, async () => {})
  expect(() => consumer.start()).toThrow(/only 'orderly' listeners park keys/)
})

describe.each<Wire>(['memory', 'bytes'])('over %s', (wire) => {
  it('only the poisoned key waits, over crashes and rebalances, and comes back in order', async () => {
    const scene = await shop(wire)
    const { keys, open, poison, seen, send, world } = scene
    const first = await open('one')
    poison.add(2)
    await send('ann', 1)
    await send('bob', 1)
    await send('ann', 2, 3)
    await send('bob', 12)
    await send('ann', 4)
    await settled(scene)
    expect(seen).toEqual(['ann1', 'bob1', 'bob12'])
    const [ann, ...others] = await world.until(keys.list())
    expect(others).toEqual([])
    expect(ann).toMatchObject({ ...ANN, state: 'parked', messages: 3, attempts: 2 })
    expect(ann?.reason).toBe('Error: no 2')

    await world.crash(50)
    first.clock.kill()
    await open('two')
    await send('ann', 5)
    await send('bob', 3)
    await world.untilTrue(() => seen.includes('bob3'), 'bob goes on')
    await settled(scene)
    const waiting = await world.until(keys.messages(ANN))
    expect(waiting.map(({ body }) => JSON.parse(body.toString()).n)).toEqual([2, 3, 4, 5])

    poison.clear()
    expect(await world.until(keys.release(ANN))).toBe(true)
    await send('ann', 6)
    await world.untilTrue(() => seen.includes('ann6'), 'ann goes on')
    expect(seen.slice(4)).toEqual(['ann2', 'ann3', 'ann4', 'ann5', 'ann6'])
    expect(await world.until(keys.list())).toEqual([])
    expect(await world.until(keys.release(ANN))).toBe(false)
    await send('ann', 7)
    await world.untilTrue(() => seen.includes('ann7'), 'it flows')
  })

  it('what fails once more is parked again, as the first; it can be skipped, or all dropped', async () => {
    const scene = await shop(wire, 2)
    const { keys, open, poison, seen, send, world } = scene
    await open('one')
    poison.add(1)
    poison.add(3)
    await send('ann', 1, 2, 3, 4)
    await settled(scene)
    expect(await world.until(keys.release(ANN))).toBe(true)
    const isParked = async () => (await world.until(keys.list()))[0]?.state === 'parked'
    for (let look = 0; look < 20 && !(await isParked()); look += 1) await world.pass(300)
    expect(await world.until(keys.list())).toMatchObject([{ messages: 4, reason: 'Error: no 1' }])
    expect(seen).toEqual([])

    expect(await world.until(keys.release(ANN, { skipFirst: true }))).toBe(true)
    await world.untilTrue(() => seen.includes('ann2'), 'the second came')
    for (let look = 0; look < 20 && !(await isParked()); look += 1) await world.pass(300)
    expect(await world.until(keys.list())).toMatchObject([{ messages: 2, reason: 'Error: no 3' }])
    expect(await world.until(keys.discard(ANN))).toBe(2)
    expect(await world.until(keys.discard(ANN))).toBe(0)
    await send('ann', 5)
    await world.untilTrue(() => seen.includes('ann5'), 'it flows')
    expect(seen).toEqual(['ann2', 'ann5'])
  })

  it('what no codec reads parks its key; without a key it is a dead letter', async () => {
    const scene = await shop(wire, 3)
    const { connection, keys, open, producer, seen, send, world } = scene
    await open('one')
    await world.until(producer.send(Loose, { x: 1 }, { shardingKey: 'ann' }))
    await world.until(producer.send(Loose, { x: 2 }))
    await send('ann', 1)
    await send('bob', 1)
    await settled(scene)
    expect(seen).toEqual(['bob1'])
    expect(await world.until(keys.list())).toMatchObject([{ ...ANN, messages: 2, attempts: 0 }])
    const letters = await world.until(deadLettersOf(connection, 'g').list())
    expect(letters.map(({ message }) => message.body.toString())).toEqual(['{"x":2}'])
    expect(await world.until(keys.release(ANN, { skipFirst: true }))).toBe(true)
    await world.untilTrue(() => seen.includes('ann1'), 'the next came')
  })
})
