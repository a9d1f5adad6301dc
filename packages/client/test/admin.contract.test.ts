/** What an operator sees of topics and groups, and what he may change, over both wires. */
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { createConsumer, createProducer, ensureTopic, type Order, topic } from '../src/index.js'
import { adminOf } from '../src/index.js'
import { brokerWorld, type Wire } from './broker-world.js'

const Numbers = topic('numbers', t.number, { queues: 2 })

async function open(wire: Wire) {
  const world = await brokerWorld(wire)
  const { connection } = world.connect()
  const admin = adminOf(connection)
  await world.until(ensureTopic(connection, Numbers))
  const producer = createProducer(connection, { group: 'p' })
  const ids: string[] = []
  const send = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      const { messageId } = await world.until(producer.send(Numbers, n, { shardingKey: `${n}` }))
      ids.push(messageId)
    }
  }
  const consume = async (group: string, order: Order = 'orderly') => {
    const seen: number[] = []
    const consumer = createConsumer(connection, { group, instance: `${group}-1` })
    consumer.listen(Numbers, async ({ body }) => void seen.push(body), { order })
    await world.until(consumer.start())
    return { consumer, seen }
  }
  return { world, connection, admin, send, consume, ids }
}

describe.each<Wire>(['memory', 'bytes'])('an operator over %s', (wire) => {
  it('sees topics with their queues, times and readers', async () => {
    const { admin, consume, send, world } = await open(wire)
    expect(await world.until(admin.createTopic('empty', { queues: 3 }))).toBe(true)
    expect(await world.until(admin.createTopic('empty', { queues: 5 }))).toBe(false)
    const before = world.time.nowMs()
    await send(10)
    await consume('g')
    await world.pass(1_000)
    expect(await world.until(admin.topics())).toEqual([
      { topic: 'empty', kind: 'message', readQueues: 3, writeQueues: 3, perm: 6, messages: 0 },
      { topic: 'numbers', kind: 'message', readQueues: 2, writeQueues: 2, perm: 6, messages: 10 },
    ])
    const shown = await world.until(admin.topic('numbers'))
    expect(shown?.groups).toEqual([{ group: 'g', lag: 0, isLive: true }])
    expect(shown?.queues.reduce((sum, { maxOffset }) => sum + maxOffset, 0)).toBe(10)
    for (const { firstStoredAtMs = 0, lastStoredAtMs = 0 } of shown?.queues ?? []) {
      expect(firstStoredAtMs).toBeGreaterThan(before)
      expect(lastStoredAtMs).toBeGreaterThanOrEqual(firstStoredAtMs)
    }
    expect((await world.until(admin.topic('empty')))?.queues[2]).toEqual({
      queueId: 2,
      minOffset: 0,
      maxOffset: 0,
    })
    expect(await world.until(admin.topic('nowhere'))).toBeUndefined()
  })

  it('lists more topics than one answer takes', async () => {
    const { admin, connection, world } = await open(wire)
    for (let n = 0; n < 1_100; n += 1)
      await world.until(ensureTopic(connection, `t-${n}`, { queues: 1 }))
    const names = (await world.until(admin.topics())).map((one) => one.topic)
    expect(names).toHaveLength(1_101)
    expect(names).toEqual([...new Set(names)].sort())
  })

  it('sees the lag of a group by queue, with its age, and moves it anywhere', async () => {
    const { admin, consume, send, world } = await open(wire)
    const { consumer, seen } = await consume('g')
    await send(6)
    await world.untilTrue(() => seen.length === 6, 'six messages')
    await world.pass(100)
    const live = await world.until(admin.group('g'))
    expect(live).toMatchObject({ group: 'g', kind: 'leased', lag: 0, deadLetters: 0 })
    expect(live?.members).toEqual([{ instance: 'g-1', mode: 'clustering', topics: ['numbers'] }])
    expect(live?.queues.map(({ instance }) => instance)).toEqual(['g-1', 'g-1'])
    await world.until(consumer.close())
    await send(4)
    await world.pass(5_000)
    const behind = await world.until(admin.group('g'))
    expect(behind).toMatchObject({ lag: 4, members: [] })
    for (const queue of behind?.queues ?? []) {
      expect(queue.lag).toBe(queue.maxOffset - queue.watermark)
      if (queue.lag > 0) expect(queue.oldestAgeMs).toBeGreaterThanOrEqual(5_000)
      expect(queue.instance).toBeUndefined()
    }
    expect(await world.until(admin.groups())).toEqual([
      { group: 'g', kind: 'leased', members: 0, lag: 4, deadLetters: 0 },
    ])
    const lag = async () => (await world.until(admin.group('g')))?.lag
    const reset = { group: 'g', topic: 'numbers' }
    await world.until(admin.reset({ ...reset, to: 'first' }))
    expect(await lag()).toBe(10)
    await world.until(admin.reset({ ...reset, to: 'last' }))
    expect(await lag()).toBe(0)
    const moved = await world.until(admin.reset({ ...reset, to: { offset: 1 }, queueId: 1 }))
    expect(moved).toEqual([{ queueId: 1, offset: 1 }])
    const [, second] = (await world.until(admin.group('g')))?.queues ?? []
    expect(await lag()).toBe((second?.maxOffset ?? 0) - 1)
    const far = admin.reset({ ...reset, to: { offset: 1_000 }, queueId: 1 })
    await expect(world.until(far)).rejects.toMatchObject({ code: 'REJECTED' })
    for (const offset of [-5, 0.5])
      await expect(admin.reset({ ...reset, to: { offset }, queueId: 1 })).rejects.toThrow(/whole/)
    expect(await lag()).toBe((second?.maxOffset ?? 0) - 1)
  })

  it('is told of unknown and impossible groups and topics', async () => {
    const { admin, world } = await open(wire)
    expect(await world.until(admin.group('nobody'))).toBeUndefined()
    for (const name of ['', 'a b', 'ü', 'x'.repeat(300), 'a\u0001b'])
      await expect(world.until(admin.group(name))).rejects.toMatchObject({ code: 'REJECTED' })
    for (const name of ['', 'a b', '../x', 'a\u0000'])
      await expect(world.until(admin.createTopic(name))).rejects.toMatchObject({ code: 'REJECTED' })
    const unknown = admin.reset({ group: 'nobody', topic: 'numbers', to: 'first' })
    await expect(world.until(unknown)).rejects.toThrow(/nobody does not exist/)
    await expect(world.until(admin.deleteTopic('nowhere'))).rejects.toThrow(/not exist/)
  })

  it('deletes no topic that groups need, and gets it back with all that was in it', async () => {
    const { admin, connection, consume, send, world } = await open(wire)
    await send(4)
    const { consumer } = await consume('g')
    await world.pass(1_000)
    const none = { halves: 0, timers: 0 }
    const live = { ...none, isDeleted: false, neededBy: [{ group: 'g', lag: 0, isLive: true }] }
    expect(await world.until(admin.deleteTopic('numbers', { force: true }))).toEqual(live)
    await world.until(consumer.close())
    await send(2)
    const left = { ...none, isDeleted: false, neededBy: [{ group: 'g', lag: 2, isLive: false }] }
    expect(await world.until(admin.deleteTopic('numbers'))).toEqual(left)
    const gone = await world.until(admin.deleteTopic('numbers', { force: true }))
    expect(gone).toEqual({ ...none, isDeleted: true, neededBy: [] })
    await world.crash(100)
    expect(await world.until(admin.topics())).toEqual([])
    expect(await world.until(admin.topic('numbers'))).toBeUndefined()
    expect((await world.until(admin.group('g')))?.queues).toEqual([])
    const asEvents = admin.createTopic('numbers', { kind: 'event', queues: 2 })
    await expect(world.until(asEvents)).rejects.toThrow(/was deleted with messages/)
    await world.until(ensureTopic(connection, Numbers))
    expect(await world.until(admin.topic('numbers'))).toMatchObject({ messages: 6 })
    const { seen } = await consume('g')
    await world.untilTrue(() => seen.length === 2, 'the two that were left')
    await world.until(ensureTopic(connection, 'events', { kind: 'event' }))
    await expect(world.until(admin.deleteTopic('events'))).rejects.toThrow(/delete or archive/)
  })

  it('finds a message by its place, its position and either id', async () => {
    const { admin, ids, send, world } = await open(wire)
    await send(9)
    for (const [n, id] of ids.entries()) {
      const message = await world.until(admin.message({ id, topic: 'numbers' }))
      expect(message?.body.toString()).toBe(`${n}`)
      if (message === undefined) continue
      const { offset, position, queueId } = message
      const byPlace = { topic: 'numbers', queueId, offset }
      expect(await world.until(admin.message(byPlace))).toEqual(message)
      expect(await world.until(admin.message({ position }))).toEqual(message)
    }
    expect(await world.until(admin.message({ id: 'none' }))).toBeUndefined()
    expect(await world.until(admin.message({ id: 'none', topic: 'numbers' }))).toBeUndefined()
    expect(await world.until(admin.message({ position: 3 }))).toBeUndefined()
    const behind = { topic: 'numbers', queueId: 0, offset: 1_000 }
    expect(await world.until(admin.message(behind))).toBeUndefined()
    const nowhere = admin.message({ topic: 'nowhere', queueId: 0, offset: 0 })
    await expect(world.until(nowhere)).rejects.toMatchObject({ code: 'REJECTED' })
  })

  it('sees in the numbers of the broker what was stored, delivered and settled', async () => {
    const { admin, consume, send, world } = await open(wire)
    const { consumer, seen } = await consume('g')
    await send(8)
    await world.untilTrue(() => seen.length === 8, 'eight messages')
    await world.until(consumer.close())
    await send(3)
    await world.pass(2_000)
    const metrics = await world.until(world.broker.metrics())
    const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)
    expect(sum(metrics.queues.map(({ messages }) => messages))).toBe(11)
    expect(sum(metrics.lags.map(({ lag }) => lag))).toBe(3)
    for (const { lag, oldestAgeMs } of metrics.lags) expect(oldestAgeMs >= 2_000).toBe(lag > 0)
    expect(metrics.traffic).toMatchObject([
      { group: 'g', topic: 'numbers', delivered: 8, acknowledged: 8 },
    ])
    expect(metrics.connections).toBe(1)
    await world.until(admin.reset({ group: 'g', topic: 'numbers', to: 'last' }))
    const after = await world.until(world.broker.metrics())
    expect(after.traffic).toMatchObject([{ acknowledged: 11 }])
    expect(sum(after.lags.map(({ lag }) => lag))).toBe(0)
  })
})
