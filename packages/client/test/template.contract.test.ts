/** The template's methods, and batches: what is sent is what comes, in its order. */
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import {
  type Connection,
  createConsumer,
  createProducer,
  ensureTopic,
  MessageTemplate,
  type Received,
  type SendResult,
  topic,
} from '../src/index.js'
import { type BrokerWorld, brokerWorld, type Wire } from './broker-world.js'

const Numbers = topic('numbers', t.number, { queues: 4 })

async function open(wire: Wire) {
  const world = await brokerWorld(wire, { segmentBytes: 64 * 1024 })
  const { connection } = world.connect()
  await world.until(ensureTopic(connection, Numbers))
  const producer = createProducer(connection, { group: 'p', checkBack: async () => 'unknown' })
  return { world, connection, producer, template: new MessageTemplate(producer) }
}

async function received(world: BrokerWorld, connection: Connection): Promise<Received<number>[]> {
  const seen: Received<number>[] = []
  const consumer = createConsumer(connection, { group: 'g', instance: 'one' })
  consumer.listen(Numbers, async (message) => void seen.push(message), { order: 'orderly' })
  await world.until(consumer.start())
  await world.pass(2_000)
  return seen
}

describe.each<Wire>(['memory', 'bytes'])('a client and a broker joined by %s', (wire) => {
  it('send by every method of the template', async () => {
    const { world, connection, template } = await open(wire)
    const { until } = world
    const sent = await until(template.syncSend(Numbers, 1, { tags: 'a' }))
    expect(sent).toMatchObject({ topic: 'numbers', messageId: expect.any(String) as string })
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
    const committed = await until(
      template.sendMessageInTransaction(Numbers, 20, async () => 'commit'),
    )
    expect(committed.outcome).toBe('commit')
    await until(template.sendMessageInTransaction(Numbers, 21, async () => 'rollback'))
    const seen = await received(world, connection)
    const bodies = seen.map(({ body }) => body)
    expect(bodies.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 20 }, (_, n) => n + 1).filter((n) => n !== 3),
    )
    const keyed = seen.filter(({ key }) => key === 'k')
    expect(keyed.map(({ body }) => body)).toEqual(Array.from({ length: 14 }, (_, n) => n + 6))
    expect(new Set(keyed.map(({ queueId }) => queueId))).toEqual(new Set([orderly.queueId]))
  })

  it('send a batch to one queue, in order, whole, with what each message has of its own', async () => {
    const { world, connection, producer, template } = await open(wire)
    const messages = Array.from({ length: 100 }, (_, n) => ({
      body: n,
      tags: `tag-${n % 3}`,
      keys: [`key-${n}`],
      properties: { n: String(n) },
    }))
    const first = await world.until(producer.sendBatch(Numbers, messages, { shardingKey: 'k' }))
    const second = await world.until(template.syncSendBatch(Numbers, messages.slice(0, 3)))
    expect(await world.until(producer.sendBatch(Numbers, []))).toEqual([])
    expect(first.map(({ queueOffset }) => queueOffset)).toEqual(
      Array.from({ length: 100 }, (_, n) => n),
    )
    expect(new Set(first.map(({ queueId }) => queueId)).size).toBe(1)
    expect(new Set(first.map(({ offsetMessageId }) => offsetMessageId)).size).toBe(100)
    await world.crash(100)
    const seen = await received(world, connection)
    const ofBatch = seen.filter(({ key }) => key === 'k')
    expect(ofBatch.map(({ id }) => id)).toEqual(first.map(({ messageId }) => messageId))
    expect(
      ofBatch.map(({ body, keys, properties, tags }) => [body, keys, properties['n'], tags]),
    ).toEqual(messages.map(({ body, keys, properties, tags }) => [body, keys, properties.n, tags]))
    expect(seen).toHaveLength(100 + second.length)
  })

  it('refuse a batch that is too large before it leaves the process', async () => {
    const { producer } = await open(wire)
    const many = Array.from({ length: 5_000 }, () => ({ body: 1 }))
    await expect(producer.sendBatch(Numbers, many)).rejects.toMatchObject({
      code: 'INVALID_MESSAGE',
      state: 'unchanged',
    })
    const Texts = topic('texts', t.string)
    const large = Array.from({ length: 5 }, () => ({ body: 'x'.repeat(1 << 20) }))
    await expect(producer.sendBatch(Texts, large)).rejects.toThrow('at most 4194304 are taken')
  })
})
