/** What RocketMQ's own clients ask of a broker, by codes and values, in memory and over bytes. */
import { position, queueOffset } from '@sagalog/kernel'
import * as protocol from '@sagalog/protocol'
import { decodeStoredMessage, propertyOf, ResponseCode } from '@sagalog/protocol'
import { describe, expect, test } from 'vitest'
import { type Caller, messageOf, openWorld, wires, within } from './world.js'

const topicOf = (topic: string, queues = 1) => ({
  topic,
  readQueues: queues,
  writeQueues: queues,
  perm: 6,
  kind: 'message' as const,
})

const beatOf = (clientId: string, expression = '*', group = 'G') => ({
  clientId,
  producerGroups: ['P'],
  consumers: [
    {
      group,
      mode: 'clustering' as const,
      subscriptions: [{ topic: 'T', expression, expressionType: 'TAG', version: 1 }],
    },
  ],
})

const pullOf = (offset: number, more: Partial<protocol.PullMessageRequest> = {}) => ({
  consumerGroup: 'G',
  topic: 'T',
  queueId: 0,
  queueOffset: queueOffset(offset),
  maxMessages: 32,
  maxBytes: 100_000,
  suspendMs: 0,
  ...more,
})

const queue = { consumerGroup: 'G', topic: 'T', queueId: 0 }
const bodies = ({ messages }: protocol.PullMessageResponse): string[] =>
  messages.map((message) => decodeStoredMessage(message).body.toString())
const tagged = (body: string, tag: string) =>
  messageOf('T', body, { properties: `TAGS\u0001${tag}\u0002` })
const notified = ({ pushes }: Caller): number =>
  pushes.filter(({ code }) => code === protocol.notifyMembers.code).length

describe.each(wires)('a group of RocketMQ clients over %s', (wire) => {
  test('members come with heartbeats, and go with their connection or their silence', async () => {
    const world = await openWorld(1, { wire })
    const [one, two, three] = [world.caller(), world.caller(), world.caller()]
    const members = async () => {
      const { code, payload } = await one.call(protocol.groupMembers, { consumerGroup: 'G' })
      return code === ResponseCode.SUCCESS ? [...payload.clientIds] : code
    }
    expect(await members()).toBe(ResponseCode.SYSTEM_ERROR)
    await one.call(protocol.heartbeat, beatOf('a'))
    await two.call(protocol.heartbeat, beatOf('b'))
    await three.call(protocol.heartbeat, beatOf('c'))
    expect(await members()).toEqual(['a', 'b', 'c'])
    // The retry topic is there for whoever asks for its route.
    const route = await one.call(protocol.topicRoute, { topic: '%RETRY%G' })
    expect(route.payload).toMatchObject({ readQueues: 1, writeQueues: 1, perm: 6 })
    await world.run(10)
    expect([notified(one), notified(two)]).toEqual([3, 2])
    await one.call(protocol.heartbeat, beatOf('a'))
    await world.run(10)
    expect(notified(two)).toBe(2)
    three.close()
    await world.run(10)
    expect(await members()).toEqual(['a', 'b'])
    expect([notified(one), notified(two)]).toEqual([4, 3])
    await two.call(protocol.unregister, { clientId: 'b', consumerGroup: 'G' })
    expect(await members()).toEqual(['a'])
    await world.run(200_000)
    expect(await members()).toBe(ResponseCode.SYSTEM_ERROR)
  })

  test('the place of a group is what it says, in both directions, and survives a crash', async () => {
    const world = await openWorld(2, { wire })
    let caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    const ask = async (setZeroIfNotFound = true) => {
      const request = { ...queue, setZeroIfNotFound }
      const { code, payload } = await caller.call(protocol.queryConsumerOffset, request)
      return code === ResponseCode.SUCCESS ? payload.offset : code
    }
    expect(await ask()).toBe(ResponseCode.QUERY_NOT_FOUND)
    for (const body of ['0', '1', '2'])
      await caller.call(protocol.sendMessage, messageOf('T', body))
    expect([await ask(), await ask(false)]).toEqual([0, ResponseCode.QUERY_NOT_FOUND])
    const say = (offset: number) =>
      caller.call(protocol.updateConsumerOffset, { ...queue, commitOffset: queueOffset(offset) })
    expect([(await say(2)).code, await ask()]).toEqual([ResponseCode.SUCCESS, 2])
    expect([(await say(1)).code, await ask(false)]).toEqual([ResponseCode.SUCCESS, 1])
    // A place behind the end of the queue would skip what comes.
    expect([(await say(99)).code, await ask()]).toEqual([ResponseCode.SUCCESS, 3])
    caller.tell(
      protocol.pullMessage,
      pullOf(3, { subscription: '*', commitOffset: queueOffset(2) }),
    )
    await world.run(100)
    expect(await ask()).toBe(2)
    const unknown = { ...queue, topic: 'Nope', commitOffset: queueOffset(0) }
    const refused = await caller.call(protocol.updateConsumerOffset, unknown)
    expect(refused.code).toBe(ResponseCode.TOPIC_NOT_EXIST)
    world.crash()
    await world.reopen()
    caller = world.caller()
    expect(await ask()).toBe(2)
  })

  test('a filter gives what carries its tags, and goes on behind what does not', async () => {
    const world = await openWorld(3, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    const unknown = await caller.call(protocol.pullMessage, pullOf(0))
    expect(unknown.code).toBe(ResponseCode.SUBSCRIPTION_NOT_EXIST)
    await caller.call(protocol.heartbeat, beatOf('a', 'A || B'))
    for (const each of ['aA', 'bC', 'cB', 'dC'])
      await caller.call(protocol.sendMessage, tagged(each.slice(0, 1), each.slice(1)))
    const first = await caller.call(protocol.pullMessage, pullOf(0))
    expect([bodies(first.payload), first.payload.nextBeginOffset]).toEqual([['a', 'c'], 4])
    const none = await caller.call(protocol.pullMessage, pullOf(3, { suspendMs: 1_000 }))
    expect([none.code, none.payload.nextBeginOffset]).toEqual([
      ResponseCode.PULL_RETRY_IMMEDIATELY,
      4,
    ])
    // A held pull sleeps through what it does not want, and says at its end how far it looked.
    const held = caller.ask(protocol.pullMessage, pullOf(4, { suspendMs: 1_000 }))
    await caller.call(protocol.sendMessage, tagged('e', 'C'))
    await caller.call(protocol.sendMessage, tagged('f', 'B'))
    await world.run(100)
    expect([bodies((await held).payload), (await held).payload.nextBeginOffset]).toEqual([['f'], 6])
    const lonely = caller.ask(protocol.pullMessage, pullOf(6, { suspendMs: 500 }))
    await caller.call(protocol.sendMessage, tagged('g', 'C'))
    await world.run(600)
    expect([(await lonely).code, (await lonely).payload.nextBeginOffset]).toEqual([
      ResponseCode.PULL_NOT_FOUND,
      7,
    ])
    const sql = pullOf(0, { subscription: 'a > 3', expressionType: 'SQL92' })
    expect((await caller.call(protocol.pullMessage, sql)).remark).toContain('SQL92')
  })

  test("a lock is one client's until it lets go, leaves, or is silent for a minute", async () => {
    const world = await openWorld(4, { wire })
    const [one, two] = [world.caller(), world.caller()]
    await one.call(protocol.createTopic, topicOf('T', 2))
    const brokerName = 'sagalog'
    const queues = [0, 1, 7].map((queueId) => ({ topic: 'T', brokerName, queueId }))
    const lock = async (caller: Caller, clientId: string) => {
      const request = { clientId, consumerGroup: 'G', queues }
      const { payload } = await caller.call(protocol.lockQueues, request)
      return payload.locked.map(({ queueId }) => queueId)
    }
    await one.call(protocol.heartbeat, beatOf('a'))
    expect([await lock(one, 'a'), await lock(two, 'b'), await lock(one, 'a')]).toEqual([
      [0, 1],
      [],
      [0, 1],
    ])
    await one.call(protocol.unlockQueues, {
      clientId: 'a',
      consumerGroup: 'G',
      queues: queues.slice(0, 1),
    })
    expect(await lock(two, 'b')).toEqual([0])
    one.close()
    await world.run(10)
    expect(await lock(two, 'b')).toEqual([0, 1])
    await world.run(65_000)
    expect(await lock(two, 'c')).toEqual([0, 1])
  })

  test('what is sent back comes again by its level, and dies after its last try', async () => {
    const world = await openWorld(5, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    await caller.call(protocol.heartbeat, beatOf('a'))
    await caller.call(protocol.sendMessage, tagged('poison', 'A'))
    let message = decodeStoredMessage(
      (await caller.call(protocol.pullMessage, pullOf(0))).payload.messages[0] as Buffer,
    )
    const original = message
    const back = (maxReconsumeTimes: number, delayLevel = 0) =>
      caller.call(protocol.sendBack, {
        position: message.physicalOffset,
        group: 'G',
        delayLevel,
        maxReconsumeTimes,
      })
    const retryAt = async (offset: number) => {
      const pull = pullOf(offset, { topic: '%RETRY%G', subscription: '*' })
      const { payload } = await caller.call(protocol.pullMessage, pull)
      return payload.messages.map((bytes) => decodeStoredMessage(bytes))[0]
    }
    expect((await back(2)).code).toBe(ResponseCode.SUCCESS)
    await world.run(9_000)
    expect(await retryAt(0)).toBeUndefined()
    await world.run(4_000)
    for (const times of [1, 2]) {
      const found = await retryAt(times - 1)
      expect(found).toMatchObject({ reconsumeTimes: times, body: original.body })
      if (found === undefined) return
      message = found
      expect(propertyOf(message.properties, 'RETRY_TOPIC')).toBe('T')
      expect(propertyOf(message.properties, 'TAGS')).toBe('A')
      await back(2, 1)
      await world.run(3_000)
    }
    expect(await retryAt(2)).toBeUndefined()
    const dead = pullOf(0, { topic: '%DLQ%G', subscription: '*' })
    const [letter] = (await caller.call(protocol.pullMessage, dead)).payload.messages
    expect(letter && decodeStoredMessage(letter)).toMatchObject({ reconsumeTimes: 3 })
    expect(propertyOf(protocol.storedProperties(letter as Buffer, 0), 'DLQ_ORIGIN_TOPIC')).toBe('T')
    // -1: at once. A position that is none: refused.
    message = original
    await back(16, -1)
    expect((await caller.call(protocol.pullMessage, dead)).payload.messages.length).toBe(2)
    const nowhere = { position: position(original.physicalOffset + 1), group: 'G', delayLevel: 0 }
    const refused = await caller.call(protocol.sendBack, nowhere)
    expect(refused.remark).toContain('look message by offset failed')
  })

  test("an orderly consumer's last resort goes to the dead letters", async () => {
    const world = await openWorld(6, { wire })
    const caller = world.caller()
    await caller.call(protocol.heartbeat, beatOf('a'))
    const send = (reconsumeTimes: number, maxReconsumeTimes: number) =>
      caller.call(
        protocol.sendMessage,
        messageOf('%RETRY%G', 'x', {
          reconsumeTimes,
          maxReconsumeTimes,
          properties: 'DELAY\u00014\u0002',
        }),
      )
    const deadLetters = async () => {
      const asked = await caller.call(protocol.maxOffset, { topic: '%DLQ%G', queueId: 0 })
      return asked.payload.offset
    }
    await send(1, 3)
    expect(await deadLetters()).toBe(0)
    await send(4, 3)
    expect(await deadLetters()).toBe(1)
    await caller.call(protocol.lockQueues, {
      clientId: 'a',
      consumerGroup: 'G',
      queues: [{ topic: '%RETRY%G', brokerName: 'sagalog', queueId: 0 }],
    })
    await send(1, 3)
    expect(await deadLetters()).toBe(2)
  })

  test('levels and times keep a message back, across a restart too', async () => {
    const world = await openWorld(7, { wire })
    let caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    const delayed = (body: string, name: string, value: number) =>
      caller.call(
        protocol.sendMessage,
        messageOf('T', body, { properties: `${name}\u0001${value}\u0002` }),
      )
    const arrived = async () =>
      bodies((await caller.call(protocol.pullMessage, pullOf(0, { subscription: '*' }))).payload)
    await delayed('level', 'DELAY', 2)
    await delayed('ms', 'TIMER_DELAY_MS', 700)
    await delayed('sec', 'TIMER_DELAY_SEC', 8)
    await delayed('at', 'TIMER_DELIVER_MS', 1)
    const bad = await caller.call(
      protocol.sendMessage,
      messageOf('T', 'x', { properties: 'DELAY\u0001soon\u0002' }),
    )
    expect([bad.code, bad.remark]).toEqual([
      ResponseCode.MESSAGE_ILLEGAL,
      expect.stringContaining('DELAY'),
    ])
    expect(await arrived()).toEqual(['at'])
    await world.run(1_000)
    expect(await arrived()).toEqual(['at', 'ms'])
    world.kill()
    await world.reopen()
    caller = world.caller()
    await world.run(4_500)
    expect(await arrived()).toEqual(['at', 'ms', 'level'])
    await world.run(4_000)
    expect(await arrived()).toEqual(['at', 'ms', 'level', 'sec'])
  })

  test('a batch is stored one behind the other, or not at all', async () => {
    const world = await openWorld(8, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    const { body: _, ...header } = messageOf('T', '')
    const item = (body: string) => ({ flag: 1, properties: '', body: Buffer.from(body) })
    const messages = ['a', 'b', 'c'].map(item)
    const sent = await caller.call(protocol.sendBatch, { ...header, messages })
    expect(sent.payload.queueOffset).toBe(0)
    const ids = sent.payload.msgId.split(',')
    expect(ids.length).toBe(3)
    const pulled = await caller.call(protocol.pullMessage, pullOf(0, { subscription: '*' }))
    expect(bodies(pulled.payload)).toEqual(['a', 'b', 'c'])
    const last = protocol.positionInOffsetId(ids[2] as string)
    const seen = await caller.call(protocol.viewMessage, { position: last ?? position(0) })
    expect(decodeStoredMessage(seen.payload.message).body.toString()).toBe('c')
    const unseen = await caller.call(protocol.viewMessage, { position: position(3) })
    expect(unseen.remark).toBe('can not find message by the offset, 3')
    const large = item('x'.repeat(4 * 1024 * 1024 + 1))
    const before = world.broker.status().log.sequenced
    for (const wrong of [[], [item('a'), large]]) {
      const refused = await caller.call(protocol.sendBatch, { ...header, messages: wrong })
      expect(refused.code).toBe(ResponseCode.MESSAGE_ILLEGAL)
    }
    const retry = { ...header, topic: '%RETRY%G', messages }
    expect((await caller.call(protocol.sendBatch, retry)).code).toBe(ResponseCode.MESSAGE_ILLEGAL)
    expect(world.broker.status().log.sequenced).toBe(before)
  })

  test('offsets are found by their ends and by time, and a reset reaches who pulls', async () => {
    const world = await openWorld(9, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    await caller.call(protocol.heartbeat, beatOf('a'))
    const times: number[] = []
    for (const body of ['0', '1', '2', '3']) {
      await caller.call(protocol.sendMessage, messageOf('T', body))
      const { payload } = await caller.call(protocol.pullMessage, pullOf(Number(body)))
      times.push(protocol.storedStoreTimestampMs(payload.messages[0] as Buffer, 0))
      await world.run(1_000)
    }
    const place = { topic: 'T', queueId: 0 }
    const ends = [protocol.minOffset, protocol.maxOffset].map((codec) => caller.call(codec, place))
    expect((await Promise.all(ends)).map(({ payload }) => payload.offset)).toEqual([0, 4])
    const search = async (timestampMs: number, boundary: 'lower' | 'upper' = 'lower') =>
      (await caller.call(protocol.searchOffset, { ...place, timestampMs, boundary })).payload.offset
    const third = times[2] ?? 0
    expect([await search(0), await search(third), await search(third + 1)]).toEqual([0, 2, 3])
    expect([await search(third, 'upper'), await search(Number.MAX_SAFE_INTEGER)]).toEqual([2, 4])

    const reset = (more: Partial<protocol.ResetOffsetRequest>) =>
      caller.call(protocol.resetOffset, {
        topic: 'T',
        group: 'G',
        timestampMs: third,
        isForced: true,
        queueId: -1,
        offset: -1,
        ...more,
      })
    const held = caller.ask(protocol.pullMessage, pullOf(4, { suspendMs: 20_000 }))
    await world.run(10)
    expect((await reset({})).payload.offsets).toEqual([
      { topic: 'T', brokerName: 'sagalog', queueId: 0, offset: 2 },
    ])
    await world.run(10)
    expect((await held).code).toBe(ResponseCode.PULL_OFFSET_MOVED)
    expect((await held).payload.nextBeginOffset).toBe(2)
    expect((await reset({ queueId: 0, offset: 1 })).payload.offsets[0]?.offset).toBe(1)
    // Until it is told, what the consumer commits counts nothing.
    await caller.call(protocol.updateConsumerOffset, { ...queue, commitOffset: queueOffset(4) })
    const stands = { ...queue, setZeroIfNotFound: true }
    const now = await caller.call(protocol.queryConsumerOffset, stands)
    expect(now.payload.offset).toBe(1)
    // It is told until it comes there; then its word counts again.
    for (const offset of [4, 3]) {
      const told = await caller.call(protocol.pullMessage, pullOf(offset))
      expect([told.code, told.payload.nextBeginOffset]).toEqual([ResponseCode.PULL_OFFSET_MOVED, 1])
    }
    expect((await caller.call(protocol.pullMessage, pullOf(1))).payload.messages).toHaveLength(3)
    await caller.call(protocol.updateConsumerOffset, { ...queue, commitOffset: queueOffset(4) })
    expect((await caller.call(protocol.queryConsumerOffset, stands)).payload.offset).toBe(4)
    expect((await reset({ queueId: 0, offset: 9 })).remark).toContain('[0-4]')
    expect((await reset({ group: 'H' })).code).toBe(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST)
    expect((await reset({ timestampMs: -1 })).payload.offsets[0]?.offset).toBe(4)
  })

  test('a reset that nobody has come to outlives a crash', async () => {
    const world = await openWorld(13, { wire })
    let caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    for (const body of ['0', '1', '2'])
      await caller.call(protocol.sendMessage, messageOf('T', body))
    await caller.call(protocol.heartbeat, beatOf('a'))
    const commit = (offset: number) =>
      caller.call(protocol.updateConsumerOffset, { ...queue, commitOffset: queueOffset(offset) })
    await commit(3)
    const to = { topic: 'T', group: 'G', timestampMs: -1, isForced: true, queueId: 0, offset: 1 }
    await caller.call(protocol.resetOffset, to)
    for (const how of ['checkpoint', 'log'] as const) {
      if (how === 'checkpoint') await within(world.time, world.broker.checkpoint())
      else await within(world.time, world.broker.restate())
      world.kill()
      await world.reopen()
      caller = world.caller()
      await caller.call(protocol.heartbeat, beatOf('a'))
      await commit(3)
      const told = await caller.call(protocol.pullMessage, pullOf(3))
      expect([told.code, told.payload.nextBeginOffset]).toEqual([ResponseCode.PULL_OFFSET_MOVED, 1])
    }
    await caller.call(protocol.pullMessage, pullOf(1))
    await world.run(50)
    world.kill()
    await world.reopen()
    caller = world.caller()
    await caller.call(protocol.heartbeat, beatOf('a'))
    expect((await caller.call(protocol.pullMessage, pullOf(2))).payload.messages).toHaveLength(1)
  })

  test('a group is of one kind or the other', async () => {
    const world = await openWorld(10, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    const join = (group: string) =>
      caller.call(protocol.leaseQueues, {
        group,
        instance: 'i',
        mode: 'clustering',
        topics: ['T'],
        held: [],
        from: 'first',
        leaving: false,
      })
    await caller.call(protocol.heartbeat, beatOf('a', '*', 'Theirs'))
    expect((await join('Theirs')).code).toBe(ResponseCode.NO_PERMISSION)
    expect((await join('Ours')).code).toBe(ResponseCode.SUCCESS)
    await caller.call(protocol.heartbeat, beatOf('a', '*', 'Ours'))
    const asked = await caller.call(protocol.groupMembers, { consumerGroup: 'Ours' })
    expect(asked.code).toBe(ResponseCode.NO_PERMISSION)
    const say = { ...queue, commitOffset: queueOffset(0) }
    const ours = await caller.call(protocol.updateConsumerOffset, { ...say, consumerGroup: 'Ours' })
    expect(ours.code).toBe(ResponseCode.NO_PERMISSION)
    await caller.call(protocol.updateConsumerOffset, { ...say, consumerGroup: 'Past' })
    await caller.call(protocol.unregister, { clientId: 'a', consumerGroup: 'Theirs' })
    expect([(await join('Theirs')).code, (await join('Past')).code]).toEqual([
      ResponseCode.SUCCESS,
      ResponseCode.NO_PERMISSION,
    ])
  })

  test('the route of the model topic is there while topics are made on the way', async () => {
    const asked = { topic: 'TBW102' }
    const world = await openWorld(11, { wire, topicQueues: 3 })
    const route = await world.caller().call(protocol.topicRoute, asked)
    expect(route.payload).toMatchObject({ perm: 7, readQueues: 3, writeQueues: 3 })
    const strict = await openWorld(12, { wire, autoCreateTopics: false })
    const refused = await strict.caller().call(protocol.topicRoute, asked)
    expect(refused.code).toBe(ResponseCode.TOPIC_NOT_EXIST)
  })
})
