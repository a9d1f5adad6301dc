import * as t from 'io-ts'
import { afterAll, describe, expect, it } from 'vitest'
import {
  createConsumer,
  createProducer,
  type Connection,
  ensureTopic,
  type Half,
  topic,
} from '../src/index.js'
import type { Decision, Order, ReceivedMessage } from '../src/index.js'
import { brokerWorld, type Wire } from './broker-world.js'

const Orders = topic('orders', t.type({ key: t.string, n: t.number }), { queues: 4 })
const Replies = topic('replies', t.number, { queues: 2 })

const KEYS = ['ann', 'bob', 'cid', 'dan', 'eve']

async function sendMany(connection: Connection, count: number): Promise<void> {
  const producer = createProducer(connection, { group: 'p' })
  for (let n = 0; n < count; n += 1) {
    const key = KEYS[n % KEYS.length] ?? ''
    await producer.send(Orders, { key, n }, { shardingKey: key })
  }
}

/** For each key the numbers in the order in which they came. */
function byKey(seen: readonly { key: string; n: number }[]): Record<string, number[]> {
  const lists: Record<string, number[]> = {}
  for (const { key, n } of seen) (lists[key] ??= []).push(n)
  return lists
}

const expectedByKey = (count: number): Record<string, number[]> =>
  byKey(Array.from({ length: count }, (_, n) => ({ key: KEYS[n % KEYS.length] ?? '', n })))

/** What the blows of the crash test led to, over all seeds. */
const reached = { lostAnswers: 0, refusedCommits: 0 }

afterAll(() => {
  expect(reached.lostAnswers).toBeGreaterThan(10)
  expect(reached.refusedCommits).toBeGreaterThan(3)
})

describe.each<Wire>(['memory', 'bytes'])('a client and a broker joined by %s', (wire) => {
  it.each<Order>(['orderly', 'concurrent', 'held'])(
    'bring every message to one instance of a group, %s',
    async (order) => {
      const world = await brokerWorld(wire)
      const { connection } = world.connect()
      await world.until(ensureTopic(connection, Orders))
      const seen: { key: string; n: number }[] = []
      const holders = new Map<string, number>()
      for (const instance of ['one', 'two']) {
        const consumer = createConsumer(connection, { group: 'g', instance })
        consumer.listen(
          Orders,
          async (message, tx) => {
            seen.push(message.body)
            holders.set(instance, (holders.get(instance) ?? 0) + 1)
            expect(message.key).toBe(message.body.key)
            if (order === 'held') tx.ack(message.delivery)
          },
          { order },
        )
        await world.until(consumer.start())
      }
      await world.pass(50)
      await world.until(sendMany(connection, 100))
      await world.untilTrue(() => seen.length >= 100, 'all messages were handled')
      await world.pass(1_000)
      expect(byKey(seen)).toEqual(expectedByKey(100))
      expect(holders.size).toBe(2)
      const { queues } = world.broker.status()
      expect(queues.every((queue) => queue.watermark === queue.maxOffset)).toBe(true)
    },
  )

  it('share the queues by the strategy that all instances name, or not at all', async () => {
    const world = await brokerWorld(wire)
    const { connection } = world.connect()
    await world.until(ensureTopic(connection, Orders))
    const join = async (instance: string, strategy: 'AVG' | 'AVG_BY_CIRCLE') => {
      const allocation = { strategy }
      const consumer = createConsumer(connection, { group: 'g', instance, allocation })
      consumer.listen(Orders, async () => undefined)
      await world.until(consumer.start())
      return consumer
    }
    const one = await join('one', 'AVG_BY_CIRCLE')
    const two = await join('two', 'AVG_BY_CIRCLE')
    await world.pass(100)
    const queuesOf = ({ held }: typeof one) => held.map(({ queueId }) => queueId)
    expect([queuesOf(one), queuesOf(two)]).toEqual([
      [0, 2],
      [1, 3],
    ])
    await expect(join('three', 'AVG')).rejects.toThrow(/REJECTED.*shares by AVG_BY_CIRCLE/)
    expect(queuesOf(one)).toEqual([0, 2])
  })

  it('bring every message to every instance when broadcasting', async () => {
    const world = await brokerWorld(wire)
    const { connection } = world.connect()
    await world.until(ensureTopic(connection, Orders))
    const seen = new Map<string, { key: string; n: number }[]>()
    for (const instance of ['one', 'two', 'three']) {
      const mine: { key: string; n: number }[] = []
      seen.set(instance, mine)
      const consumer = createConsumer(world.connect().connection, {
        group: 'g',
        instance,
        mode: 'broadcasting',
      })
      consumer.listen(Orders, async (message) => void mine.push(message.body))
      await world.until(consumer.start())
    }
    await world.until(sendMany(connection, 40))
    await world.untilTrue(() => [...seen.values()].every((all) => all.length >= 40), 'all saw all')
    await world.pass(1_000)
    for (const mine of seen.values()) expect(byKey(mine)).toEqual(expectedByKey(40))
  })

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'commit a handler once over crashes and cut cables, seed %i',
    async (seed) => {
      const world = await brokerWorld(wire, { seed })
      const { connection } = world.connect()
      await world.until(ensureTopic(connection, Orders))
      await world.until(ensureTopic(connection, Replies))
      const replies: number[] = []
      const consumer = createConsumer(connection, { group: 'g', instance: 'i', retryMs: 50 })
      consumer.listen(
        Orders,
        async (message, tx) => {
          tx.send(Replies, message.body.n)
          tx.onRefused(() => {
            reached.refusedCommits += 1
          })
        },
        { order: 'orderly' },
      )
      await world.until(consumer.start())
      const observer = createConsumer(connection, { group: 'observers', instance: 'o' })
      observer.listen(Replies, async (message) => void replies.push(message.body), {
        order: 'orderly',
      })
      await world.until(observer.start())

      const acked: number[] = []
      const ask = connection.ask.bind(connection)
      connection.ask = (codec, payload, waiting, options) => {
        const reject = (reason: unknown): void => {
          if (codec.name === 'sendMessage') reached.lostAnswers += 1
          waiting.reject(reason)
        }
        const resolve = waiting.resolve.bind(waiting)
        ask(codec, payload, { resolve, reject }, options)
      }
      const producer = createProducer(connection, { group: 'p' })
      const sending = (async () => {
        for (let n = 0; n < 300; n += 1) {
          // The blows are shorter than the time of a send: none is given up.
          await producer.send(Orders, { key: 'k', n }, { shardingKey: 'k' })
          acked.push(n)
        }
      })()
      for (let blow = 0; blow < 8; blow += 1) {
        // Long enough for both ends to be at work again, and never the same.
        await world.pass(40 + ((seed * 7.3 + blow * 13.7) % 40))
        if (blow % 2 === 0) await world.crash(100)
        else world.cut()
      }
      await world.until(sending)
      await world.untilTrue(
        () => acked.every((n) => replies.includes(n)),
        'every acknowledged order has its reply',
      )
      await world.pass(20_000)
      // The handler's effect is in the log once per stored order, whatever was redelivered.
      const stored = world.broker
        .status()
        .queues.filter((queue) => queue.group === 'g')
        .reduce((sum, queue) => sum + queue.maxOffset, 0)
      const effects = world.broker
        .status()
        .queues.filter((queue) => queue.group === 'observers')
        .reduce((sum, queue) => sum + queue.maxOffset, 0)
      expect(acked).toHaveLength(300)
      // Whatever was made again: each is stored once.
      expect(stored).toBe(300)
      expect(effects).toBe(stored)
      expect(new Set(replies).size).toBe(effects)
    },
  )

  it('decide half messages by confirmation, and by check-back when it never comes', async () => {
    const world = await brokerWorld(wire, {
      transactions: { checkAfterMs: 500, checkEveryMs: 500, checksMax: 10 },
    })
    const { connection } = world.connect()
    await world.until(ensureTopic(connection, Orders))
    const checks: string[] = []
    const book = new Map<string, Decision>()
    const checkBack = async (half: Half, message: ReceivedMessage): Promise<Decision> => {
      checks.push(half.id)
      expect(message.topic).toBe('orders')
      expect(Orders.decode(message.body)._tag).toBe('Right')
      return book.get(half.id) ?? 'rollback'
    }
    const producer = createProducer(connection, { group: 'p', checkBack })
    const seen: number[] = []
    const consumer = createConsumer(connection, { group: 'g', instance: 'i' })
    consumer.listen(Orders, async (message) => void seen.push(message.body.n))
    await world.until(consumer.start())

    const place = (n: number, local: (half: Half) => Promise<Decision>) =>
      world.until(producer.sendInTransaction(Orders, { key: 'k', n }, {}, local))
    expect((await place(1, async () => 'commit')).outcome).toBe('commit')
    expect((await place(2, async () => 'rollback')).outcome).toBe('rollback')
    const forgotten = await place(3, async (half) => {
      book.set(half.id, 'unknown')
      return 'unknown'
    })
    expect(forgotten.outcome).toBe('unknown')
    await expect(place(4, () => Promise.reject(new Error('disk full')))).rejects.toThrow(
      /HANDLER_FAILED/,
    )
    // A local step that takes longer than the first checks is not decided behind its back.
    const slow = await place(5, async () => {
      await new Promise<void>((resolve) => world.time.plan(1_800, resolve))
      return 'commit'
    })
    expect(slow.outcome).toBe('commit')
    expect(checks).not.toContain(slow.half.id)
    book.set(forgotten.half.id, 'commit')
    await world.untilTrue(() => world.broker.status().halvesOpen === 0, 'all halves are decided')
    await world.pass(1_000)
    expect(seen.toSorted((a, b) => a - b)).toEqual([1, 3, 5])
    expect(checks).toContain(forgotten.half.id)
  })

  it('give a queue to the next instance when one leaves or dies', async () => {
    const world = await brokerWorld(wire, { leaseMs: 3_000 })
    const { connection } = world.connect()
    await world.until(ensureTopic(connection, Orders))
    const seen: { key: string; n: number }[] = []
    const join = async (instance: string) => {
      const mine = world.connect()
      const consumer = createConsumer(mine.connection, { group: 'g', instance })
      consumer.listen(Orders, async (message) => void seen.push(message.body), {
        order: 'orderly',
      })
      await world.until(consumer.start())
      return { consumer, clock: mine.clock }
    }
    const one = await join('one')
    expect(one.consumer.held).toHaveLength(4)
    const two = await join('two')
    await world.untilTrue(() => two.consumer.held.length === 2, 'the queues are shared')
    const three = await join('three')
    await world.untilTrue(() => three.consumer.held.length > 0, 'the third has its share')
    await world.until(one.consumer.close())
    await world.untilTrue(
      () => two.consumer.held.length + three.consumer.held.length === 4,
      'the others have all queues',
    )
    // Its process dies without a word; its lease runs out.
    two.clock.kill()
    await world.untilTrue(() => three.consumer.held.length === 4, 'the last one has all queues')
    await world.until(sendMany(connection, 50))
    await world.untilTrue(() => seen.length >= 50, 'all messages were handled')
    expect(byKey(seen)).toEqual(expectedByKey(50))
  })

  it('store dead letters that a consumer can read', async () => {
    const world = await brokerWorld(wire)
    const { connection } = world.connect()
    await world.until(ensureTopic(connection, Orders))
    const consumer = createConsumer(connection, {
      group: 'g',
      instance: 'i',
      retryMs: 10,
      attemptsMax: 2,
    })
    consumer.listen(Orders, () => Promise.reject(new Error('never')))
    await world.until(consumer.start())
    await world.until(sendMany(connection, 3))
    await world.untilTrue(
      () => world.broker.status().queues.every((queue) => queue.watermark === queue.maxOffset),
      'all is settled',
    )
    const letters: string[] = []
    const Letters = topic('%DLQ%g', t.type({ n: t.number }))
    const reader = createConsumer(connection, { group: 'readers', instance: 'r' })
    reader.listen(Letters, async (message) => {
      letters.push(`${message.body.n} ${message.properties['sagalog.reason']}`)
    })
    await world.until(reader.start())
    await world.untilTrue(() => letters.length === 3, 'three letters came')
    expect(letters.sort()).toEqual(['0 Error: never', '1 Error: never', '2 Error: never'])
  })
})
