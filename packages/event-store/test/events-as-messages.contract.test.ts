/**
 * Domain events are messages: a consumer that knows nothing of event stores gets them in the order
 * of their streams and can tell what they are; and nothing but an append gets into their topic.
 */
import {
  type ClientError,
  createConsumer,
  createProducer,
  openTx,
  type Received,
  topic,
} from '@sagalog/client'
import { sleep } from '@sagalog/kernel'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { createEventStore } from '../src/atomically.js'
import { Accounts } from './accounts.js'
import { brokerWorld, type Wire } from './broker-world.js'

const wires: Wire[] = ['memory', 'bytes', 'tcp']
const QUEUES = 2
/** The category as anybody sees it who was only told its name. */
const Plain = topic('account', t.UnknownRecord, { queues: QUEUES })
const { Deposited, Opened } = Accounts.make

async function world(wire: Wire) {
  const { connect, crash, run, time } = await brokerWorld(wire)
  const connection = connect()
  const store = createEventStore(connection)
  await run(store.ensureCategory(Accounts, { queues: QUEUES }))
  return { clock: time.nodeClock(), connect, connection, crash, run, store }
}

describe.each(wires)('events over %s', (wire) => {
  it('reach any consumer in stream order, and say what they are', async () => {
    const { clock, connect, crash, run, store } = await world(wire)
    const streams = ['a', 'b', 'ü/c', 'd']
    for (const stream of streams)
      await run(store.append(Accounts, stream, [Opened({ owner: stream })], { expected: 'empty' }))
    for (let round = 1; round <= 4; round += 1) {
      for (const stream of streams) {
        const events = [Deposited({ cents: round }), Deposited({ cents: -round })]
        await run(store.append(Accounts, stream, events, { expected: 'exists' }))
      }
    }
    await run(crash())
    const both = [Deposited({ cents: 70 }), Deposited({ cents: 71 })]
    await run(
      store.atomically((tx) => {
        for (const stream of streams) tx.append(Accounts, stream, both, { expected: 9 as never })
      }),
    )
    const received: Received<Record<string, unknown>>[] = []
    const consumer = createConsumer(connect(), { group: 'anybody', instance: 'i' })
    consumer.listen(Plain, async (message) => void received.push(message), { order: 'orderly' })
    await run(consumer.start())
    for (let tries = 0; tries < 100 && received.length < 44; tries += 1) await run(sleep(clock, 50))
    await run(consumer.close())

    for (const stream of streams) {
      const ofStream = received.filter(({ properties }) => properties['sagalog.stream'] === stream)
      const said = ofStream.map(({ body, key, properties, tags }) => ({
        type: properties['sagalog.type'],
        version: properties['sagalog.version'],
        schema: properties['sagalog.schema'],
        tags,
        key,
        body,
      }))
      const { records } = await run(store.read(Accounts, stream))
      expect(records).toHaveLength(11)
      expect(said).toEqual(
        records.map(({ event, version }) => ({
          type: event.type,
          version: String(version),
          schema: '1',
          tags: event.type,
          key: stream,
          body: event.data,
        })),
      )
      expect(new Set(ofStream.map(({ queueId }) => queueId)).size).toBe(1)
    }
    expect(received).toHaveLength(44)
  })

  it('come from appends alone: whatever else would send to their topic is refused', async () => {
    const { clock, connect, connection, run, store } = await world(wire)
    await run(store.append(Accounts, 'a', [Opened({ owner: 'ann' })], { expected: 'empty' }))
    const producer = createProducer(connection, { group: 'p', checkBack: async () => 'commit' })
    const body = { owner: 'forged' }
    const reason = (cause: ClientError): string => `${cause.code}/${cause.state}`
    const ways: Record<string, () => Promise<unknown>> = {
      send: () => producer.send(Plain, body, { shardingKey: 'a' }),
      later: () => producer.send(Plain, body, { delayMs: 10 }),
      batch: () => producer.sendBatch(Plain, [{ body }, { body }]),
      half: () => producer.sendInTransaction(Plain, body, {}, async () => 'commit' as const),
    }
    const refused: Record<string, string> = {}
    for (const [way, send] of Object.entries(ways))
      refused[way] = await run(send().then(() => 'taken', reason))
    expect(refused).toEqual({
      send: 'REJECTED/unchanged',
      later: 'REJECTED/unchanged',
      batch: 'REJECTED/unchanged',
      half: 'REJECTED/unchanged',
    })
    for (const part of ['send', 'schedule'] as const) {
      const tx = openTx(connection)
      if (part === 'send') tx.send(Plain, body)
      else tx.schedule('forged', 10, Plain, body)
      const end = await run(tx.commit().catch(reason))
      expect(end, part).toBe('REJECTED/unchanged')
    }
    producer.sendOneWay(Plain, body)
    await run(sleep(clock, 2_000))
    expect((await run(store.read(Accounts, 'a'))).version).toBe(1)
    const request = { categories: [], from: store.port.start, maxEvents: 9, waitMs: 0 }
    expect((await run(store.port.readEvents(request))).events).toHaveLength(1)
    const received: unknown[] = []
    const consumer = createConsumer(connect(), { group: 'anybody', instance: 'i' })
    consumer.listen(Plain, async (message) => void received.push(message.body))
    await run(consumer.start())
    await run(sleep(clock, 500))
    await run(consumer.close())
    expect(received).toEqual([{ owner: 'ann' }])
  })
})
