/** Consumers that poll, filter by tags, begin at a time, and are moved by an operator. */
import { sleep } from '@sagalog/kernel'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import {
  type Connection,
  type ConsumerOptions,
  createConsumer,
  createProducer,
  createPullConsumer,
  ensureTopic,
  type Handler,
  type ListenOptions,
  resetOffsets,
  topic,
} from '../src/index.js'
import { type BrokerWorld, brokerWorld, type Wire } from './broker-world.js'

const Numbers = topic('numbers', t.number, { queues: 2 })
const Echoes = topic('echoes', t.number, { queues: 1 })
const TAGS = ['red', 'green', 'blue', undefined]

async function open(wire: Wire) {
  const world = await brokerWorld(wire)
  const { connection } = world.connect()
  for (const one of [Numbers, Echoes]) await world.until(ensureTopic(connection, one))
  return { world, connection }
}

async function send(world: BrokerWorld, connection: Connection, from: number, to: number) {
  const producer = createProducer(connection, { group: 'p' })
  for (let n = from; n < to; n += 1)
    await world.until(producer.send(Numbers, n, { tags: TAGS[n % TAGS.length] }))
}

async function listening(
  world: BrokerWorld,
  connection: Connection,
  options: Partial<ConsumerOptions> & ListenOptions = {},
) {
  const { order, tags, ...more } = options
  const seen: number[] = []
  const handler: Handler<number> = async ({ body }) => void seen.push(body)
  const consumer = createConsumer(connection, { group: 'g', instance: 'one', ...more })
  const listen = {
    ...(order === undefined ? {} : { order }),
    ...(tags === undefined ? {} : { tags }),
  }
  consumer.listen(Numbers, handler, listen)
  await world.until(consumer.start())
  return { consumer, seen }
}

const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)
const upTo = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, n) => from + n)

const lag = (world: BrokerWorld, group: string): number =>
  world.broker
    .status()
    .queues.filter((queue) => queue.group === group)
    .reduce((sum, queue) => sum + queue.maxOffset - queue.watermark, 0)

describe.each<Wire>(['memory', 'bytes'])('a client and a broker joined by %s', (wire) => {
  it('poll, settle with effects in one commit, and get the rest again after a crash', async () => {
    const { world, connection } = await open(wire)
    await send(world, connection, 0, 50)
    const pull = (own: Connection, instance: string) =>
      createPullConsumer(own, { group: 'g', instance, topics: [Numbers] })
    const first = pull(connection, 'one')
    await world.until(first.start())
    const polled: number[] = []
    while (polled.length < 20) {
      const messages = await world.until(first.poll({ max: 5 }))
      expect(messages.length).toBeLessThanOrEqual(5)
      polled.push(...messages.map(({ body }) => body))
      const isDone = await world.until(
        first.commit(messages, (tx) => {
          for (const { body } of messages) tx.send(Echoes, body)
        }),
      )
      expect(isDone).toBe(true)
    }
    const inHand = await world.until(first.poll({ max: 7 }))
    await world.crash(200)
    connection.close()
    const { connection: other } = world.connect()
    const second = pull(other, 'two')
    await world.until(second.start())
    const again: number[] = []
    for (;;) {
      const messages = await world.until(second.poll({ waitMs: 20_000 }))
      if (messages.length === 0) break
      again.push(...messages.map(({ body }) => body))
      await world.until(second.commit(messages))
    }
    expect(again).toEqual(expect.arrayContaining(inHand.map(({ body }) => body)))
    expect(sorted([...polled, ...again])).toEqual(upTo(0, 50))
    expect(lag(world, 'g')).toBe(0)
    await world.until(second.close())
    expect(await world.until(second.poll())).toEqual([])
  })

  it('wait for a message as long as they were told, and are woken by one', async () => {
    const { world, connection } = await open(wire)
    const consumer = createPullConsumer(connection, {
      group: 'g',
      instance: 'i',
      topics: [Numbers],
    })
    await world.until(consumer.start())
    const startMs = world.time.nowMs()
    expect(await world.until(consumer.poll({ waitMs: 0 }))).toEqual([])
    expect(await world.until(consumer.poll({ waitMs: 2_000 }))).toEqual([])
    expect(world.time.nowMs() - startMs).toBeGreaterThanOrEqual(2_000)
    const polling = consumer.poll({ waitMs: 60_000 })
    await send(world, connection, 7, 8)
    expect((await world.until(polling)).map(({ body }) => body)).toEqual([7])
    expect(world.time.nowMs() - startMs).toBeLessThan(4_000)
  })

  it.each(['orderly', 'concurrent'] as const)(
    'deliver the wanted tags only, and settle the others, %s',
    async (order) => {
      const { world, connection } = await open(wire)
      const { seen } = await listening(world, connection, { order, tags: 'red || blue' })
      await send(world, connection, 0, 400)
      await world.untilTrue(() => seen.length === 200, 'all that are wanted came')
      await world.pass(1_000)
      expect(sorted(seen)).toEqual(upTo(0, 400).filter((n) => n % 4 === 0 || n % 4 === 2))
      expect(lag(world, 'g')).toBe(0)
    },
  )

  it('fetch ahead no more than they were told', async () => {
    const { world, connection } = await open(wire)
    let isOpen = false
    const consumer = createConsumer(connection, {
      group: 'g',
      instance: 'one',
      prefetch: { messages: 3 },
    })
    const seen: number[] = []
    consumer.listen(
      Numbers,
      async ({ body }, _, { signal }) => {
        for (;;) {
          if (isOpen || signal.aborted) break
          await sleep(connection.ports.clock, 10)
        }
        seen.push(body)
      },
      { order: 'orderly' },
    )
    await world.until(consumer.start())
    await send(world, connection, 0, 60)
    isOpen = true
    await world.untilTrue(() => seen.length === 60, 'all came')
    expect(sorted(seen)).toEqual(upTo(0, 60))
    expect(() =>
      createConsumer(connection, { group: 'g', instance: 'x', prefetch: { messages: 0 } }),
    ).toThrow('at least one message')
  })

  it('begin at the first message of a time, where a group has no place yet', async () => {
    const { world, connection } = await open(wire)
    await send(world, connection, 0, 10)
    await world.pass(1_000)
    const storedAtMs = world.time.nodeClock().wallMs()
    await send(world, connection, 10, 20)
    const late = await listening(world, connection, { group: 'late', from: { storedAtMs } })
    const last = await listening(world, connection, { group: 'last', from: 'last' })
    const all = await listening(world, connection, {
      group: 'all',
      mode: 'broadcasting',
      from: { storedAtMs: 0 },
    })
    await send(world, connection, 20, 25)
    await world.untilTrue(() => all.seen.length === 25, 'all came')
    await world.pass(500)
    expect(sorted(late.seen)).toEqual(upTo(10, 25))
    expect(sorted(last.seen)).toEqual(upTo(20, 25))
    // A place that is there counts, whatever is asked.
    await world.until(late.consumer.close())
    const again = await listening(world, connection, { group: 'late', from: 'first' })
    await world.pass(1_000)
    expect(again.seen).toEqual([])
  })

  it('are moved to a time, to the first and behind the last, also while they are away', async () => {
    const { world, connection } = await open(wire)
    await send(world, connection, 0, 10)
    await world.pass(1_000)
    const storedAtMs = world.time.nodeClock().wallMs()
    await send(world, connection, 10, 20)
    const { consumer, seen } = await listening(world, connection)
    await world.untilTrue(() => seen.length === 20, 'all came')
    const move = async (to: 'first' | 'last' | { storedAtMs: number }) =>
      world.until(resetOffsets(connection, { group: 'g', topic: Numbers.name, to }))
    const reset = await move({ storedAtMs })
    expect(reset.map(({ offset }) => offset)).toEqual([5, 5])
    await world.untilTrue(() => seen.length === 30, 'they came again')
    await world.pass(500)
    expect(sorted(seen.slice(20))).toEqual(upTo(10, 20))
    await world.until(consumer.close())
    await move('first')
    await world.crash(100)
    const second = await listening(world, connection)
    await world.untilTrue(() => second.seen.length === 20, 'all came again')
    await world.until(second.consumer.close())
    await move('first')
    await move('last')
    const third = await listening(world, connection)
    await world.pass(1_000)
    expect(third.seen).toEqual([])
    await expect(
      world.until(resetOffsets(connection, { group: 'nobody', topic: 'numbers', to: 'first' })),
    ).rejects.toThrow('nobody')
  })

  it('refuse what was in hand when the group was moved', async () => {
    const { world, connection } = await open(wire)
    await send(world, connection, 0, 4)
    const consumer = createPullConsumer(connection, {
      group: 'g',
      instance: 'i',
      topics: [Numbers],
    })
    await world.until(consumer.start())
    const messages = await world.until(consumer.poll())
    await world.until(resetOffsets(connection, { group: 'g', topic: 'numbers', to: 'last' }))
    expect(await world.until(consumer.commit(messages, (tx) => tx.send(Echoes, 1)))).toBe(false)
    await world.pass(1_000)
    expect(await world.until(consumer.poll({ waitMs: 1_000 }))).toEqual([])
  })

  it('give each broadcasting instance its own place, over restarts of both ends', async () => {
    const { world, connection } = await open(wire)
    const broadcasting = { mode: 'broadcasting', order: 'orderly' } as const
    const one = await listening(world, connection, { instance: 'one', ...broadcasting })
    await send(world, connection, 0, 10)
    await world.untilTrue(() => one.seen.length === 10, 'the first has them')
    await world.until(one.consumer.close())
    await world.crash(100)
    const two = await listening(world, connection, { instance: 'two', ...broadcasting })
    await send(world, connection, 10, 20)
    const oneAgain = await listening(world, connection, { instance: 'one', ...broadcasting })
    await world.untilTrue(() => two.seen.length === 20 && oneAgain.seen.length === 10, 'both')
    await world.pass(500)
    expect(sorted(oneAgain.seen)).toEqual(upTo(10, 20))
    expect(sorted(two.seen)).toEqual(upTo(0, 20))
    await world.until(resetOffsets(connection, { group: 'g', topic: 'numbers', to: 'first' }))
    await world.untilTrue(() => two.seen.length === 40, 'the second has all again')
    await world.untilTrue(() => oneAgain.seen.length === 30, 'so has the first')
  })
})
