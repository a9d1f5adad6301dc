/** Messages that fail: retried later with their tries counted, dead letters, and their way back. */
import * as t from 'io-ts'
import { afterAll, describe, expect, it } from 'vitest'
import {
  type Connection,
  type Consumer,
  type ConsumerOptions,
  createConsumer,
  createProducer,
  type DeadLetter,
  deadLettersOf,
  ensureTopic,
  type Received,
  topic,
} from '../src/index.js'
import { type BrokerWorld, brokerWorld, type Wire } from './broker-world.js'

const Jobs = topic('jobs', t.number, { queues: 2 })
const Done = topic('done', t.number, { queues: 1 })
const BACKOFF = { by: 'backoff', minMs: 100, maxMs: 1_000 } as const

interface Try {
  readonly n: number
  readonly attempt: number
  readonly atMs: number
  readonly message: Received<number>
}

/** A consumer that fails the messages that `fails` says, and tells of every try. */
async function failing(
  world: BrokerWorld,
  connection: Connection,
  fails: (n: number, attempt: number) => boolean,
  options: Partial<ConsumerOptions> = {},
): Promise<{ consumer: Consumer; tries: Try[] }> {
  const tries: Try[] = []
  const consumer = createConsumer(connection, {
    group: 'g',
    instance: 'one',
    retry: BACKOFF,
    ...options,
  })
  consumer.listen(Jobs, async (message, tx, { attempt }) => {
    tries.push({ n: message.body, attempt, atMs: world.time.nowMs(), message })
    tx.send(Done, message.body)
    if (fails(message.body, attempt)) throw new Error(`the shop is closed for ${message.body}`)
  })
  await world.until(consumer.start())
  return { consumer, tries }
}

async function send(world: BrokerWorld, connection: Connection, numbers: readonly number[]) {
  const producer = createProducer(connection, { group: 'p' })
  for (const n of numbers) {
    const options = { tags: 'work', keys: [`job-${n}`], properties: { color: 'blue' } }
    await world.until(producer.send(Jobs, n, options))
  }
}

/** What was sent with the acknowledgements: once per message, or effects were lost or doubled. */
async function effects(world: BrokerWorld, connection: Connection): Promise<number[]> {
  const seen: number[] = []
  const consumer = createConsumer(connection, { group: 'effects', instance: 'e' })
  consumer.listen(Done, async ({ body }) => void seen.push(body))
  await world.until(consumer.start())
  await world.pass(2_000)
  await world.until(consumer.close())
  return seen.sort((left, right) => left - right)
}

const reached = { crashes: 0, retriedOverCrash: 0 }

afterAll(() => {
  expect(reached.crashes).toBeGreaterThan(3)
  expect(reached.retriedOverCrash).toBeGreaterThan(3)
})

describe.each<Wire>(['memory', 'bytes'])('a client and a broker joined by %s', (wire) => {
  async function open() {
    const world = await brokerWorld(wire)
    const { connection } = world.connect()
    for (const one of [Jobs, Done]) await world.until(ensureTopic(connection, one))
    return { world, connection }
  }

  it('retry a message later, as it was, while others of its queue go on', async () => {
    const { world, connection } = await open()
    const { consumer, tries } = await failing(world, connection, (n, tried) => n === 3 && tried < 4)
    await send(world, connection, [0, 1, 2, 3, 4, 5, 6, 7])
    await world.untilTrue(() => tries.some(({ attempt }) => attempt === 4), 'the fourth try')
    await world.pass(500)
    expect(tries.filter(({ n }) => n !== 3)).toHaveLength(7)
    const own = tries.filter(({ n }) => n === 3)
    expect(own.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4])
    const [first, second, third, fourth] = own.map(({ atMs }) => atMs)
    // Half of each wait is left to chance.
    expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(50)
    expect((third ?? 0) - (second ?? 0)).toBeGreaterThanOrEqual(100)
    expect((fourth ?? 0) - (third ?? 0)).toBeGreaterThanOrEqual(200)
    const asFirst = own.map(({ message }) => {
      const { id, keys, properties, tags, topic: from } = message
      return { id, keys, tags, from, color: properties['color'] }
    })
    expect(new Set(asFirst.map((one) => JSON.stringify(one))).size).toBe(1)
    expect(asFirst[0]).toMatchObject({ keys: ['job-3'], tags: 'work', from: 'jobs', color: 'blue' })
    expect(consumer.held.map((queue) => queue.topic)).toEqual(['jobs', 'jobs'])
    expect(await effects(world, connection)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })

  it('wait as long as the levels of RocketMQ say', async () => {
    const { world, connection } = await open()
    const { tries } = await failing(world, connection, (_, tried) => tried < 4, {
      retry: { by: 'levels' },
    })
    await send(world, connection, [1])
    await world.untilTrue(() => tries.length === 4, 'four tries')
    const waits = tries.slice(1).map(({ atMs }, index) => atMs - (tries[index]?.atMs ?? 0))
    for (const [index, levelMs] of [10_000, 30_000, 60_000].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(levelMs)
      expect(waits[index]).toBeLessThan(levelMs + 2_000)
    }
  })

  it('count tries across crashes of the broker and of the consumer, then make a dead letter', async () => {
    const { world, connection } = await open()
    const isAlways = (): boolean => true
    const options = { attemptsMax: 6 }
    const first = await failing(world, connection, isAlways, options)
    await send(world, connection, [1, 2])
    await world.untilTrue(() => first.tries.length >= 4, 'two tries of each')
    await world.crash(200)
    reached.crashes += 1
    await world.untilTrue(() => first.tries.length >= 8, 'four tries of each')
    // The consumer's process is gone without a word; another goes on counting.
    connection.close()
    const other = world.connect().connection
    const second = await failing(world, other, isAlways, { ...options, instance: 'two' })
    await world.pass(120_000)
    reached.crashes += 1
    const attempts = (n: number): number[] =>
      [...first.tries, ...second.tries].filter((one) => one.n === n).map(({ attempt }) => attempt)
    for (const n of [1, 2]) {
      const seen = attempts(n)
      // A try whose outcome was lost in a crash comes again under its number.
      expect([...new Set(seen)]).toEqual([1, 2, 3, 4, 5, 6])
      expect(seen).toEqual([...seen].sort((left, right) => left - right))
      if (second.tries.some((one) => one.n === n)) reached.retriedOverCrash += 1
    }
    const letters = await world.until(deadLettersOf(other, 'g').list())
    expect(letters.map(({ attempts: count }) => count)).toEqual([6, 6])
    expect(await effects(world, other)).toEqual([])
  })

  it('read dead letters, send one again, all again, and to every group', async () => {
    const { world, connection } = await open()
    let isOpen = false
    const { tries } = await failing(world, connection, () => !isOpen, { attemptsMax: 2 })
    const letters = deadLettersOf(connection, 'g')
    expect(await world.until(letters.list())).toEqual([])
    await send(world, connection, [1, 2, 3, 4, 5])
    await world.untilTrue(() => tries.length === 10, 'all tries')
    await world.pass(500)
    const dead = await world.until(letters.list())
    const names = dead.map(({ message }) => Number(message.body.toString())).sort((a, b) => a - b)
    expect(names).toEqual([1, 2, 3, 4, 5])
    for (const letter of dead) {
      expect(letter).toMatchObject({ topic: 'jobs', attempts: 2 })
      expect(letter.reason).toMatch(/^Error: the shop is closed for \d$/)
      expect(letter.message).toMatchObject({ tags: 'work', properties: { color: 'blue' } })
    }
    expect(await world.until(letters.list({ max: 2 }))).toHaveLength(2)

    isOpen = true
    const find = (n: number): DeadLetter => {
      const found = dead.find(({ message }) => message.body.toString() === String(n))
      if (found === undefined) throw new Error(`no dead letter of ${n}`)
      return found
    }
    expect(await world.until(letters.redrive(find(3)))).toBe(true)
    expect(await world.until(letters.redrive(find(3)))).toBe(false)
    expect(await world.until(letters.discard(find(5)))).toBe(true)
    await world.untilTrue(() => tries.length === 11, 'the third came again')
    expect(tries.at(-1)).toMatchObject({ n: 3, attempt: 1 })
    expect(tries.at(-1)?.message.id).toBe(find(3).id)
    expect(await world.until(letters.redriveAll('group', ({ id }) => id !== find(4).id))).toBe(2)
    expect(await world.until(letters.redriveAll('topic'))).toBe(1)
    expect(await world.until(letters.redriveAll())).toBe(0)
    await world.pass(2_000)
    expect(await world.until(letters.list())).toEqual([])
    expect(await effects(world, connection)).toEqual([1, 2, 3, 4])
  })

  it('send each dead letter again once, though the broker crashes and two operators try', async () => {
    const { world, connection } = await open()
    let isOpen = false
    const { tries } = await failing(world, connection, () => !isOpen, { attemptsMax: 1 })
    const numbers = Array.from({ length: 150 }, (_, n) => n)
    await send(world, connection, numbers)
    await world.untilTrue(() => tries.length === 150, 'all tries')
    await world.pass(500)
    isOpen = true
    const operators = [world.connect().connection, world.connect().connection]
    const redrives = operators.map(async (own) => {
      for (;;) {
        try {
          await deadLettersOf(own, 'g').redriveAll()
          return
        } catch {
          await new Promise<void>((resolve) => {
            own.ports.clock.after(300, resolve)
          })
        }
      }
    })
    await world.pass(4)
    await world.crash(100)
    reached.crashes += 1
    await world.until(Promise.all(redrives))
    await world.pass(5_000)
    expect(await effects(world, connection)).toEqual(numbers)
  })

  it('makes a dead letter of a body that does not decode, at once, also behind a retry', async () => {
    const { world, connection } = await open()
    const { tries } = await failing(world, connection, () => false)
    const Texts = topic('jobs', t.string)
    await world.until(createProducer(connection, { group: 'p' }).send(Texts, 'seven'))
    await world.pass(500)
    const [letter] = await world.until(deadLettersOf(connection, 'g').list())
    expect(letter).toMatchObject({ topic: 'jobs', attempts: 0 })
    expect(letter?.reason).toContain('"seven"')
    expect(tries).toEqual([])
  })
})

it('a broadcasting consumer has no retry topic', async () => {
  const world = await brokerWorld('memory')
  const { connection } = world.connect()
  const options = { group: 'g', instance: 'i', mode: 'broadcasting', retry: BACKOFF } as const
  expect(() => createConsumer(connection, options)).toThrow('retried in place')
})
