/** What operators ask of a broker about RocketMQ's clients, broadcasting, and deleted topics. */
import { emptyCommit, position, queueOffset } from '@sagalog/kernel'
import * as protocol from '@sagalog/protocol'
import { ResponseCode } from '@sagalog/protocol'
import { describe, expect, test } from 'vitest'
import { Tally } from '../src/tally.js'
import { TALLY_ROWS_MAX } from '../src/limits.js'
import { type Caller, messageOf, openWorld, wires, within } from './world.js'

const topicOf = (topic: string, queues = 1) => ({
  topic,
  readQueues: queues,
  writeQueues: queues,
  perm: 6,
  kind: 'message' as const,
})

const beat = {
  clientId: 'java-1',
  producerGroups: [],
  consumers: [
    {
      group: 'J',
      mode: 'clustering' as const,
      subscriptions: [{ topic: 'T', expression: '*', expressionType: 'TAG', version: 1 }],
    },
  ],
}

const nothingComes = { timers: 0, halves: 0 }

const forget = async (caller: Caller, topic: string, isForced = false) =>
  (await caller.call(protocol.deleteTopic, { topic, isForced })).payload

describe.each(wires)('over %s', (wire) => {
  test("a group of RocketMQ's clients is seen, and its topic kept while one reads it", async () => {
    const world = await openWorld(1, { wire })
    const [java, caller] = [world.caller(), world.caller()]
    await caller.call(protocol.createTopic, topicOf('T'))
    for (const body of ['0', '1', '2'])
      await caller.call(protocol.sendMessage, messageOf('T', body))
    await java.call(protocol.heartbeat, beat)
    const fresh = await caller.call(protocol.describeGroup, { group: 'J' })
    expect(fresh.payload).toMatchObject({
      kind: 'assigned',
      members: [{ instance: 'java-1', mode: 'clustering', topics: ['T'] }],
      queues: [],
    })
    const isLive = { group: 'J', lag: 0, isLive: true }
    expect(await forget(caller, 'T', true)).toEqual({
      isDeleted: false,
      neededBy: [isLive],
      ...nothingComes,
    })
    const place = { consumerGroup: 'J', topic: 'T', queueId: 0, commitOffset: queueOffset(1) }
    await java.call(protocol.updateConsumerOffset, place)
    java.close()
    await world.run(1_100)
    const { payload } = await caller.call(protocol.describeGroup, { group: 'J' })
    expect(payload).toMatchObject({ kind: 'assigned', lag: 2, members: [] })
    expect(payload.queues).toMatchObject([{ watermark: 1, maxOffset: 3, lag: 2 }])
    expect(payload.queues[0]?.oldestAgeMs).toBeGreaterThanOrEqual(900)
    const left = { group: 'J', lag: 2, isLive: false }
    expect(await forget(caller, 'T')).toEqual({
      isDeleted: false,
      neededBy: [left],
      ...nothingComes,
    })
    const done = { isDeleted: true, neededBy: [], ...nothingComes }
    expect(await forget(caller, 'T', true)).toEqual(done)
  })

  test('each instance of a broadcasting group has a place of its own', async () => {
    const world = await openWorld(2, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    const base = { group: 'B', mode: 'broadcasting', topics: ['T'], held: [], leaving: false }
    for (const [instance, from] of [
      ['one', 'first'],
      ['two', 'last'],
    ] as const) {
      await caller.call(protocol.leaseQueues, { ...base, instance, from } as never)
      await caller.call(protocol.sendMessage, messageOf('T', 'x'))
    }
    const { payload } = await caller.call(protocol.describeGroup, { group: 'B' })
    const lags = payload.queues.map(({ instance = '', lag }) => `${instance} ${lag}`)
    expect(lags.toSorted()).toEqual(['one 2', 'two 1'])
    const listed = await caller.call(protocol.listGroups, { after: '', maxGroups: 10 })
    const summary = { group: 'B', kind: 'leased', members: 2, lag: 3, deadLetters: 0 }
    expect(listed.payload).toEqual({ groups: [summary], hasMore: false })
  })

  test('a deleted topic is nowhere, over a crash too, and gets what was on its way', async () => {
    const world = await openWorld(3, { wire, autoCreateTopics: false })
    let caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    await caller.call(protocol.sendMessage, messageOf('T', 'kept'))
    const later = messageOf('T', 'later', { properties: 'DELAY\u00011\u0002' })
    await caller.call(protocol.sendMessage, later)
    const half = messageOf('T', 'half', { sysFlag: 4, properties: 'PGROUP\u0001P\u0002' })
    await caller.call(protocol.sendMessage, half)
    const coming = { neededBy: [], timers: 1, halves: 1 }
    expect(await forget(caller, 'T')).toEqual({ isDeleted: false, ...coming })
    await within(world.time, world.broker.restate())
    world.kill()
    for (const path of world.disk.paths()) if (path.endsWith('.ckpt')) world.disk.removeFile(path)
    await world.reopen({ autoCreateTopics: false })
    caller = world.caller()
    expect(await forget(caller, 'T')).toEqual({ isDeleted: false, ...coming })
    expect(await forget(caller, 'T', true)).toEqual({ isDeleted: true, ...coming })
    const expectGone = async (): Promise<void> => {
      const pull = {
        consumerGroup: 'G',
        topic: 'T',
        queueId: 0,
        queueOffset: queueOffset(0),
        maxMessages: 9,
        maxBytes: 9_999,
        suspendMs: 0,
      }
      const codes = [
        (await caller.call(protocol.sendMessage, messageOf('T', 'no'))).code,
        (await caller.call(protocol.pullMessage, pull)).code,
        (await caller.call(protocol.topicRoute, { topic: 'T' })).code,
        (await caller.call(protocol.describeTopic, { topic: 'T' })).code,
        (await caller.call(protocol.deleteTopic, { topic: 'T', isForced: true })).code,
      ]
      expect(new Set(codes)).toEqual(new Set([ResponseCode.TOPIC_NOT_EXIST]))
      const { payload } = await caller.call(protocol.listTopics, { after: '', maxTopics: 9 })
      expect(payload).toEqual({ topics: [], hasMore: false })
    }
    await expectGone()
    await within(world.time, world.broker.restate())
    world.crash()
    await world.reopen({ autoCreateTopics: false })
    caller = world.caller()
    await expectGone()
    await world.run(2_000)
    await caller.call(protocol.createTopic, topicOf('T'))
    const back = await caller.call(protocol.describeTopic, { topic: 'T' })
    expect(back.payload).toMatchObject({ messages: 2, queues: [{ maxOffset: 2 }] })
  })

  test('letters that wait keep the dead-letter topic of their group', async () => {
    const world = await openWorld(4, { wire })
    const caller = world.caller()
    await caller.call(protocol.sendMessage, messageOf('%DLQ%G', 'dead'))
    const waiting = { group: 'G', lag: 1, isLive: false }
    expect(await forget(caller, '%DLQ%G')).toEqual({
      isDeleted: false,
      neededBy: [waiting],
      ...nothingComes,
    })
  })
})

test('timers are listed, the next first, in pages, of one topic or all', async () => {
  const world = await openWorld(5)
  const caller = world.caller()
  for (const topic of ['T', 'U']) await caller.call(protocol.createTopic, topicOf(topic))
  for (const [topic, level] of [
    ['T', 5],
    ['U', 4],
    ['T', 3],
  ] as const) {
    const later = messageOf(topic, 'x', { properties: `DELAY\u0001${level}\u0002` })
    await caller.call(protocol.sendMessage, later)
  }
  const named = { id: 'mine', delayMs: 5_000, message: { topic: 'U', body: Buffer.from('y') } }
  await caller.call(protocol.commit, { ...emptyCommit, timers: [named] })
  const list = async (request: Partial<protocol.ListTimersRequest>) => {
    const all = { topic: '', afterDueAtMs: 0, afterPosition: position(0), maxTimers: 9 }
    return (await caller.call(protocol.listTimers, { ...all, ...request })).payload
  }
  const { hasMore, timers } = await list({})
  expect(hasMore).toBe(false)
  expect(timers.map(({ name, topic }) => `${topic} ${name}`)).toEqual([
    'U mine',
    'T undefined',
    'U undefined',
    'T undefined',
  ])
  const first = await list({ maxTimers: 3 })
  expect(first).toEqual({ timers: timers.slice(0, 3), hasMore: true })
  const { dueAtMs = 0, position: at = position(0) } = first.timers[2] ?? {}
  const rest = await list({ maxTimers: 3, afterDueAtMs: dueAtMs, afterPosition: at })
  expect(rest).toEqual({ timers: timers.slice(3), hasMore: false })
  expect((await list({ topic: 'T' })).timers).toHaveLength(2)
  await within(world.time, world.broker.restate())
  world.kill()
  for (const path of world.disk.paths()) if (path.endsWith('.ckpt')) world.disk.removeFile(path)
  await world.reopen()
  const again = world.caller()
  const request = { topic: 'T', afterDueAtMs: 0, afterPosition: position(0), maxTimers: 9 }
  expect((await again.call(protocol.listTimers, request)).payload.timers).toHaveLength(2)
})

test('names beyond the bound are refused, in words that say which bound', async () => {
  const world = await openWorld(6, { topicsMax: 3, groupsMax: 2 })
  const caller = world.caller()
  for (const topic of ['A', 'B', 'C'])
    expect((await caller.call(protocol.createTopic, topicOf(topic))).code).toBe(0)
  const full = 'the broker has 3 topics, and takes 3 (topicsMax)'
  const refusals = [
    await caller.call(protocol.createTopic, topicOf('D')),
    await caller.call(protocol.sendMessage, messageOf('E', 'x')),
    await caller.call(protocol.sendMessage, messageOf('%RETRY%G', 'x')),
    await caller.call(protocol.heartbeat, beat),
  ]
  for (const { code, remark } of refusals) {
    expect(code).toBe(ResponseCode.INVALID_PARAMETER)
    expect(remark).toContain(full)
  }
  // What is there still takes messages, and a name that was deleted is remembered anyway.
  expect((await caller.call(protocol.sendMessage, messageOf('A', 'x'))).code).toBe(0)
  expect(await forget(caller, 'C', true)).toMatchObject({ isDeleted: true })
  expect((await caller.call(protocol.createTopic, topicOf('D'))).remark).toContain(full)
  expect((await caller.call(protocol.createTopic, topicOf('C'))).code).toBe(0)

  const join = (group: string, mode: 'clustering' | 'broadcasting', instance = 'i') =>
    caller.call(protocol.leaseQueues, {
      ...{ group, instance, mode, topics: ['A'], held: [], leaving: false },
      from: 'first',
    })
  expect((await join('G', 'broadcasting', 'i1')).code).toBe(0)
  expect((await join('G', 'broadcasting', 'i2')).code).toBe(0)
  const third = await join('G', 'broadcasting', 'i3')
  expect([third.code, third.remark]).toEqual([
    ResponseCode.INVALID_PARAMETER,
    'the group[G] was not let in: the broker has 2 groups, and takes 2 (groupsMax)',
  ])
  const place = { consumerGroup: 'R', topic: 'A', queueId: 0, commitOffset: queueOffset(0) }
  const refused = await caller.call(protocol.updateConsumerOffset, place)
  expect(refused.remark).toContain('the group[R] was not let in')
  expect((await join('G', 'broadcasting', 'i1')).code).toBe(0)
})

test('what strangers call their groups does not fill the memory', () => {
  const tally = new Tally()
  for (let n = 0; n < TALLY_ROWS_MAX + 500; n += 1) tally.delivered(`g${n}`, 'T', [Buffer.alloc(3)])
  const rows = tally.all()
  expect(rows).toHaveLength(TALLY_ROWS_MAX + 1)
  expect(rows.at(-1)).toEqual({
    group: '',
    topic: '',
    delivered: 500,
    deliveredBytes: 1_500,
    acknowledged: 0,
  })
})
