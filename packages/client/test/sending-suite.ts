/** What a producer does wherever it sends to: what is sent is what comes, in its order. */
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import {
  createProducer,
  type Decision,
  ensureTopic,
  findMessage,
  type Half,
  MessageTemplate,
  type Producer,
  type ReceivedMessage,
  type SendResult,
  topic,
  type Topic,
} from '../src/index.js'
import { type ContractPlace, type ContractWorld, freshTopic } from './contract-world.js'

interface Scene {
  readonly world: ContractWorld
  readonly until: ContractWorld['until']
  readonly producer: Producer
  readonly Numbers: Topic<number>
}

const ascending = (one: number, other: number): number => one - other
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

async function open(place: ContractPlace): Promise<Scene> {
  const world = await place.open()
  const Numbers = freshTopic('numbers', t.number)
  await world.until(ensureTopic(world.connection, Numbers))
  const producer = createProducer(world.connection, { group: 'p' })
  return { world, until: (promise) => world.until(promise), producer, Numbers }
}

/** Checks of the limits that hold before anything leaves the process. */
async function expectInvalid(promise: Promise<unknown>, reason: RegExp): Promise<void> {
  const invalid = { code: 'INVALID_MESSAGE', state: 'unchanged' }
  await expect(promise).rejects.toMatchObject(invalid)
  await expect(promise).rejects.toThrow(reason)
}

export function sendingSuite(place: ContractPlace): void {
  describe(`a producer and ${place.name}`, () => {
    it('send by every method of the template', () => byEveryMethod(place))
    it('send a batch to one queue, in order, whole, with all of each', () => aBatch(place))

    it('keep what a message has of its own: key, tags, keys, properties', async () => {
      const { Numbers, producer, until, world } = await open(place)
      const options = {
        shardingKey: 'ann',
        tags: 'new',
        keys: ['k1', 'k2'],
        properties: { colour: 'red' },
      }
      const sent = await until(producer.send(Numbers, 1, options))
      const [found] = await world.read(Numbers, 1)
      expect(found).toMatchObject({ body: 1, key: 'ann', tags: 'new', keys: ['k1', 'k2'] })
      expect(found?.properties).toMatchObject({ colour: 'red' })
      expect([found?.id, found?.queueId, found?.offset]).toEqual([
        sent.messageId,
        sent.queueId,
        sent.queueOffset,
      ])
    })

    it('spread messages without a key over all queues', async () => {
      const { Numbers, producer, until, world } = await open(place)
      for (let n = 0; n < 16; n += 1) await until(producer.send(Numbers, n))
      const found = await world.read(Numbers, 16)
      const counts = new Map<number, number>()
      for (const { queueId } of found) counts.set(queueId, (counts.get(queueId) ?? 0) + 1)
      expect(counts.size).toBeGreaterThanOrEqual(4)
      expect(new Set(counts.values()).size).toBe(1)
    })

    it('keep the order of a key in one queue', async () => {
      const { Numbers, producer, until, world } = await open(place)
      const keys = ['ann', 'bob', 'cid', 'dan', 'eve']
      for (let n = 0; n < 25; n += 1)
        await until(producer.send(Numbers, n, { shardingKey: keys[n % 5] }))
      const found = await world.read(Numbers, 25)
      for (const [index, key] of keys.entries()) {
        const mine = found.filter((message) => message.key === key)
        expect(mine.map(({ body }) => body)).toEqual(upTo(5).map((n) => n * 5 + index))
        expect(new Set(mine.map(({ queueId }) => queueId)).size).toBe(1)
      }
    })

    it('store each of many messages that are sent at once', async () => {
      const { Numbers, producer, until, world } = await open(place)
      await until(Promise.all(upTo(200).map((n) => producer.send(Numbers, n))))
      const found = await world.read(Numbers, 200)
      expect(found.map(({ body }) => body).toSorted(ascending)).toEqual(upTo(200))
    })

    it('find a message again by either of its ids', async () => {
      const { Numbers, producer, until, world } = await open(place)
      const sent = await until(producer.send(Numbers, 7))
      const { connection } = world
      const found = await until(findMessage(connection, { id: sent.offsetMessageId }))
      expect(found).toMatchObject({ id: sent.messageId, topic: Numbers.name })
      expect(found?.body.toString()).toBe('7')
    })

    it('refuse what is too large before it leaves the process', () => tooLarge(place))
  })
  describe(`a delay and ${place.name}`, () => {
    it('keep a message back for a time, by level, until a time', () => delays(place))
    it('refuse a delay that makes no sense', async () => {
      const { Numbers, producer } = await open(place)
      const wrong = [
        { delayMs: 5, delayLevel: 1 },
        { delayLevel: 19 },
        { delayMs: -1 },
        { delayMs: Number.NaN },
      ]
      for (const options of wrong) await expectInvalid(producer.send(Numbers, 1, options), /delay/)
    })
  })
  describe(`a transaction and ${place.name}`, () => {
    it('show what was committed, never what was rolled back', () => decided(place))
    it('ask for a decision that never came, until there is one', () => checkedBack(place))
  })
}

async function byEveryMethod(place: ContractPlace): Promise<void> {
  const { Numbers, producer, until, world } = await open(place)
  const template = new MessageTemplate(producer)
  const sent = await until(template.syncSend(Numbers, 1, { tags: 'a' }))
  expect(sent).toMatchObject({ topic: Numbers.name, messageId: expect.any(String) as string })
  const results: SendResult[] = []
  const errors: unknown[] = []
  const callback = {
    onSuccess: (result: SendResult) => void results.push(result),
    onError: (error: unknown) => void errors.push(error),
  }
  template.asyncSend(Numbers, 2, callback)
  template.asyncSend(topic('no name', t.number), 3, callback)
  template.sendOneWay(Numbers, 4)
  await until(template.convertAndSend(Numbers, 5))
  const orderly = await until(template.syncSendOrderly(Numbers, 6, 'k'))
  for (let n = 7; n < 20; n += 1) template.asyncSendOrderly(Numbers, n, 'k', callback)
  await world.untilTrue(() => results.length === 14 && errors.length === 1, 'all callbacks')
  expect(errors[0]).toMatchObject({ name: 'ClientError' })
  const seen = await world.read(Numbers, 18)
  expect(seen.map(({ body }) => body).toSorted(ascending)).toEqual(
    upTo(20).filter((n) => n !== 0 && n !== 3),
  )
  const keyed = seen.filter(({ key }) => key === 'k')
  expect(keyed.map(({ body }) => body)).toEqual(upTo(14).map((n) => n + 6))
  expect(new Set(keyed.map(({ queueId }) => queueId))).toEqual(new Set([orderly.queueId]))
}

async function aBatch(place: ContractPlace): Promise<void> {
  const { Numbers, producer, until, world } = await open(place)
  const messages = upTo(100).map((n) => ({
    body: n,
    tags: `tag-${n % 3}`,
    keys: [`key-${n}`],
    properties: { n: String(n) },
  }))
  const first = await until(producer.sendBatch(Numbers, messages, { shardingKey: 'k' }))
  const second = await until(producer.sendBatch(Numbers, messages.slice(0, 3)))
  expect(await until(producer.sendBatch(Numbers, []))).toEqual([])
  expect(first.map(({ queueOffset }) => queueOffset)).toEqual(upTo(100))
  expect(new Set(first.map(({ queueId }) => queueId)).size).toBe(1)
  expect(new Set(first.map(({ offsetMessageId }) => offsetMessageId)).size).toBe(100)
  await world.crash?.(100)
  const seen = await world.read(Numbers, 103)
  const ofBatch = seen.filter(({ key }) => key === 'k')
  expect(ofBatch.map(({ id }) => id)).toEqual(first.map(({ messageId }) => messageId))
  expect(
    ofBatch.map(({ body, keys, properties, tags }) => [body, keys, properties['n'], tags]),
  ).toEqual(messages.map(({ body, keys, properties, tags }) => [body, keys, properties.n, tags]))
  expect(seen).toHaveLength(100 + second.length)
}

async function tooLarge(place: ContractPlace): Promise<void> {
  const { Numbers, producer } = await open(place)
  const many = upTo(5_000).map((body) => ({ body }))
  await expectInvalid(producer.sendBatch(Numbers, many), /at most 4096 are taken/)
  const Texts = topic('texts', t.string)
  const large = upTo(5).map(() => ({ body: 'x'.repeat(1 << 20) }))
  await expectInvalid(producer.sendBatch(Texts, large), /at most 4194304 are taken/)
  await expectInvalid(producer.send(Texts, 'x'.repeat(5 << 20)), /at most 4194304 are taken/)
  const wide = { properties: { wide: 'x'.repeat(40_000) } }
  await expectInvalid(producer.send(Numbers, 1, wide), /properties/)
}

async function delays(place: ContractPlace): Promise<void> {
  const { Numbers, producer, until, world } = await open(place)
  const { earlyMs, lateMs } = place.delays
  const startMs = world.wallMs()
  const asked = [
    [1, 700, { delayMs: 700 }],
    [2, 1_000, { delayLevel: 1 }],
    [3, 3_000, { deliverAtMs: startMs + 3_000 }],
    [4, 0, { deliverAtMs: startMs - 1 }],
    [5, 0, { delayMs: 0 }],
  ] as const
  for (const [body, , options] of asked) await until(producer.send(Numbers, body, options))
  const seen = await world.read(Numbers, asked.length)
  for (const [body, ms] of asked) {
    const found = seen.find((message) => message.body === body)
    const waitedMs = (found?.storedAtMs ?? 0) - startMs
    expect(waitedMs, `delay ${body}`).toBeGreaterThanOrEqual(ms - earlyMs)
    expect(waitedMs, `delay ${body}`).toBeLessThan(ms + lateMs)
  }
}

async function decided(place: ContractPlace): Promise<void> {
  const { Numbers, until, world } = await open(place)
  const producer = createProducer(world.connection, {
    group: 'deciders',
    checkBack: async () => 'unknown',
  })
  for (let n = 0; n < 8; n += 1) {
    const decision: Decision = n % 2 === 0 ? 'commit' : 'rollback'
    const result = await until(producer.sendInTransaction(Numbers, n, {}, async () => decision))
    expect(result.outcome).toBe(decision)
  }
  const failing = producer.sendInTransaction(Numbers, 9, {}, () => Promise.reject(new Error('no')))
  await expect(until(failing)).rejects.toThrow(/HANDLER_FAILED/)
  const seen = await world.read(Numbers, 4)
  expect(seen.map(({ body }) => body).toSorted(ascending)).toEqual([0, 2, 4, 6])
  producer.close()
}

async function checkedBack(place: ContractPlace): Promise<void> {
  const { Numbers, until, world } = await open(place)
  const answers = new Map<string, Decision>()
  const asked = new Map<string, number>()
  const checkBack = async (half: Half, message: ReceivedMessage): Promise<Decision> => {
    const { transactionId } = half
    asked.set(transactionId, (asked.get(transactionId) ?? 0) + 1)
    expect(message.topic).toBe(Numbers.name)
    return answers.get(transactionId) ?? 'unknown'
  }
  const producer = createProducer(world.connection, { group: 'askers', checkBack })
  const undecided = async (body: number): Promise<string> => {
    const sent = producer.sendInTransaction(Numbers, body, {}, async () => 'unknown')
    const { half, outcome } = await until(sent)
    expect(outcome).toBe('unknown')
    return half.transactionId
  }
  const [kept, dropped] = [await undecided(1), await undecided(2)]
  await world.untilTrue(() => asked.has(kept) && asked.has(dropped), 'both were asked about')
  answers.set(kept, 'commit')
  answers.set(dropped, 'rollback')
  const seen = await world.read(Numbers, 1)
  expect(seen.map(({ body }) => body)).toEqual([1])
  producer.close()
}
