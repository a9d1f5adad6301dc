/** Each request of the broker, by its codes and values, in memory and over bytes. */
import {
  type Commit,
  emptyCommit,
  leaseEpoch,
  type LeaseRef,
  queueOffset,
  streamVersion,
} from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import * as protocol from '@sagalog/protocol'
import { decodeStoredMessage, ResponseCode } from '@sagalog/protocol'
import { byteChannelPair } from '@sagalog/protocol/testing'
import { describe, expect, test } from 'vitest'
import { type Caller, openWorld, wires, messageOf } from './world.js'

const topicOf = (topic: string, queues = 1, kind: 'message' | 'event' = 'message') => ({
  topic,
  readQueues: queues,
  writeQueues: queues,
  perm: 6,
  kind,
})

const pullOf = (topic: string, offset = 0, more: Partial<protocol.PullMessageRequest> = {}) => ({
  consumerGroup: 'G',
  topic,
  queueId: 0,
  queueOffset: queueOffset(offset),
  maxMessages: 32,
  maxBytes: 100_000,
  suspendMs: 0,
  subscription: '*',
  ...more,
})

const leaseOf = (
  instance: string,
  topics: string[],
  more: Partial<protocol.LeaseQueuesRequest> = {},
) => ({
  group: 'G',
  instance,
  mode: 'clustering' as const,
  topics,
  held: [],
  from: 'first' as const,
  leaving: false,
  ...more,
})

const bodies = (payload: protocol.PullMessageResponse): string[] =>
  payload.messages.map((message) => decodeStoredMessage(message).body.toString())

async function lease(caller: Caller, instance: string, topic: string): Promise<LeaseRef> {
  const { payload } = await caller.call(protocol.leaseQueues, leaseOf(instance, [topic]))
  const grant = payload.grants[0]
  if (grant === undefined) throw new Error('no grant')
  return { group: 'G', topic, queueId: grant.queueId, epoch: grant.epoch }
}

describe.each(wires)('sending and pulling over %s', (wire) => {
  test('a message comes back as it was sent, at the next offset', async () => {
    const world = await openWorld(1, { wire })
    const caller = world.caller()
    expect((await caller.call(protocol.createTopic, topicOf('T'))).code).toBe(ResponseCode.SUCCESS)
    const first = await caller.call(protocol.sendMessage, messageOf('T', 'one'))
    const second = await caller.call(protocol.sendMessage, messageOf('T', 'two'))
    expect([first.payload.queueOffset, second.payload.queueOffset]).toEqual([0, 1])
    const pulled = await caller.call(protocol.pullMessage, pullOf('T'))
    expect(bodies(pulled.payload)).toEqual(['one', 'two'])
    expect(pulled.payload.nextBeginOffset).toBe(2)
  })

  test('an unknown topic is made when that is allowed, and refused else', async () => {
    const world = await openWorld(2, { wire })
    const made = await world.caller().call(protocol.sendMessage, messageOf('New', 'x'))
    expect(made.code).toBe(ResponseCode.SUCCESS)
    const strict = await openWorld(3, { wire, autoCreateTopics: false })
    const refused = await strict.caller().call(protocol.sendMessage, messageOf('New', 'x'))
    expect(refused.code).toBe(ResponseCode.TOPIC_NOT_EXIST)
    expect(refused.remark).toContain('New')
  })

  test('bad names, queues and sizes are refused and change nothing', async () => {
    const world = await openWorld(4, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    const before = world.broker.status().log.sequenced
    const badName = await caller.call(protocol.sendMessage, messageOf('../x', 'a'))
    expect(badName.code).toBe(ResponseCode.INVALID_PARAMETER)
    const badQueue = await caller.call(protocol.sendMessage, messageOf('T', 'a', { queueId: 7 }))
    expect(badQueue.code).toBe(ResponseCode.INVALID_PARAMETER)
    const large = messageOf('T', 'a', { body: Buffer.alloc(4 * 1024 * 1024 + 1) })
    expect((await caller.call(protocol.sendMessage, large)).code).toBe(ResponseCode.MESSAGE_ILLEGAL)
    expect(world.broker.status().log.sequenced).toBe(before)
  })

  test('an empty pull is held until a message is safe, or its time is up', async () => {
    const world = await openWorld(5, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    const held = caller.ask(protocol.pullMessage, pullOf('T', 0, { suspendMs: 5_000 }))
    await world.run(10)
    await caller.call(protocol.sendMessage, messageOf('T', 'late'))
    await world.run(10)
    expect(bodies((await held).payload)).toEqual(['late'])
    const empty = await caller.call(protocol.pullMessage, pullOf('T', 1, { suspendMs: 200 }))
    expect(empty.code).toBe(ResponseCode.PULL_NOT_FOUND)
    const beyond = await caller.call(protocol.pullMessage, pullOf('T', 9))
    expect(beyond.code).toBe(ResponseCode.PULL_OFFSET_MOVED)
  })
})

describe('an unknown request code is refused by number', () => {
  const refusal = {
    code: ResponseCode.REQUEST_CODE_NOT_SUPPORTED,
    remark: ' request type 4711 not supported',
  }

  test('in memory', async () => {
    const world = await openWorld(6)
    const codec = { ...protocol.brokerStatus, code: 4_711 }
    expect(await world.caller().call(codec, {})).toMatchObject(refusal)
  })

  test('over bytes', async () => {
    // No channel of ours sends such a code, so the frame is written by hand.
    const world = await openWorld(6)
    const [near, far] = byteChannelPair(seededRandom(6))
    const replies = new protocol.FrameDecoder()
    near.onItem((chunk) => replies.push(chunk))
    world.broker.accept(protocol.commandChannel(far))
    const who = { language: 0, version: 479, opaque: 1, flag: 0 }
    const nothing = { fields: new Map<string, string>(), body: Buffer.alloc(0) }
    near.send(protocol.encodeFrame({ dialect: 'json', code: 4_711, ...who, ...nothing }))
    await world.run(10)
    expect(replies.next()).toMatchObject({ ...refusal, opaque: 1 })
  })
})

describe.each(wires)('transactions over %s', (wire) => {
  const half = messageOf('T', 'half', {
    sysFlag: 4,
    properties: 'TRAN_MSG\u0001true\u0002PGROUP\u0001P\u0002UNIQ_KEY\u0001u1\u0002',
  })
  const confirmation = (
    sent: protocol.SendMessageResponse,
    decision: protocol.TransactionDecision,
  ): protocol.EndTransactionRequest => ({
    topic: 'T',
    producerGroup: 'P',
    tranStateTableOffset: sent.queueOffset,
    commitLogOffset: protocol.positionInOffsetId(sent.msgId) ?? (0 as never),
    decision,
    fromTransactionCheck: false,
    msgId: 'u1',
    transactionId: 'u1',
  })

  test('a half is invisible, visible after commit, and its decision stands', async () => {
    const world = await openWorld(7, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    const sent = (await caller.call(protocol.sendMessage, half)).payload
    expect((await caller.call(protocol.pullMessage, pullOf('T'))).code).toBe(
      ResponseCode.PULL_NOT_FOUND,
    )
    const committed = await caller.call(protocol.endTransaction, confirmation(sent, 'commit'))
    expect(committed.payload.outcome).toBe('commit')
    const pulled = (await caller.call(protocol.pullMessage, pullOf('T'))).payload
    expect(bodies(pulled)).toEqual(['half'])
    const [message] = pulled.messages
    expect(decodeStoredMessage(message ?? Buffer.alloc(0)).properties).not.toContain('TRAN_MSG')
    const again = await caller.call(protocol.endTransaction, confirmation(sent, 'commit'))
    expect([again.code, again.payload.outcome]).toEqual([ResponseCode.SUCCESS, 'commit'])
    const late = await caller.call(protocol.endTransaction, confirmation(sent, 'rollback'))
    expect([late.code, late.payload.outcome]).toEqual([ResponseCode.ALREADY_DECIDED, 'commit'])
    expect(bodies((await caller.call(protocol.pullMessage, pullOf('T'))).payload)).toEqual(['half'])
  })

  test('a rolled back half is never seen; another group can not decide it', async () => {
    const world = await openWorld(8, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    const sent = (await caller.call(protocol.sendMessage, half)).payload
    const wrong = { ...confirmation(sent, 'commit'), producerGroup: 'Q' }
    expect((await caller.call(protocol.endTransaction, wrong)).code).toBe(ResponseCode.SYSTEM_ERROR)
    await caller.call(protocol.endTransaction, confirmation(sent, 'rollback'))
    expect((await caller.call(protocol.pullMessage, pullOf('T'))).code).toBe(
      ResponseCode.PULL_NOT_FOUND,
    )
    expect(world.broker.status().halvesOpen).toBe(0)
  })

  test('check-backs go on over a restart and the half is parked after the last', async () => {
    const transactions = { checkAfterMs: 50, checkEveryMs: 100, checksMax: 3 }
    const world = await openWorld(9, { wire, transactions })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    await caller.call(protocol.sendMessage, half)
    await world.run(500)
    expect(caller.pushes).toHaveLength(0)
    const beat = { clientId: 'c', producerGroups: ['P'], consumers: [] }
    await caller.call(protocol.heartbeat, beat)
    await world.run(180)
    expect(caller.pushes.map((push) => push.code)).toContain(39)
    const asked = caller.pushes.length
    world.crash()
    await world.reopen()
    const next = world.caller()
    await next.call(protocol.heartbeat, beat)
    await world.run(2_000)
    expect(asked + next.pushes.length).toBe(3)
    expect(world.broker.status()).toMatchObject({ halvesOpen: 0, halvesParked: 1 })
  })
})

describe.each(wires)('leases over %s', (wire) => {
  test('a group shares in one way; another one is refused until the others are gone', async () => {
    const world = await openWorld(10, { wire })
    const [a, b] = [world.caller(), world.caller()]
    await a.call(protocol.createTopic, topicOf('T', 4))
    const circle = { allocation: { strategy: 'AVG_BY_CIRCLE' as const } }
    const first = await a.call(protocol.leaseQueues, leaseOf('a', ['T'], circle))
    const refused = await b.call(protocol.leaseQueues, leaseOf('b', ['T']))
    expect([refused.code, refused.remark]).toEqual([
      ResponseCode.NO_PERMISSION,
      'the group[G] is split: instance a shares by AVG_BY_CIRCLE, b by AVG; all instances of a group share in the same way; stop the others first',
    ])
    await b.call(protocol.leaseQueues, leaseOf('b', ['T'], circle))
    const held = first.payload.grants
    const renewed = await a.call(protocol.leaseQueues, leaseOf('a', ['T'], { ...circle, held }))
    expect(renewed.payload.revoked.map(({ queueId }) => queueId)).toEqual([1, 3])
    await b.call(protocol.leaseQueues, leaseOf('b', ['T'], { ...circle, leaving: true }))
    // An instance that comes again may have changed its mind, once it is alone.
    const hash = { allocation: { strategy: 'CONSISTENT_HASH' as const } }
    const alone = await a.call(protocol.leaseQueues, leaseOf('a', ['T'], { ...hash, held }))
    expect(alone.payload.grants).toHaveLength(4)
  })

  test('rooms and lists say what nobody is given', async () => {
    const world = await openWorld(11, { wire, name: 'west@b' })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T', 3))
    const ask = async (instance: string, allocation: protocol.Allocation, leaving = false) => {
      const request = leaseOf(instance, ['T'], { allocation, leaving })
      const { payload, remark } = await caller.call(protocol.leaseQueues, request)
      return remark ?? payload.grants.map(({ queueId }) => queueId)
    }
    const rooms = (...list: string[]) => ({ strategy: 'MACHINE_ROOM', rooms: list }) as const
    const nowhere = await ask('a', rooms('east', 'north'))
    expect(nowhere).toBe('the broker west@b stands in none of the rooms east, north')
    expect(await ask('a', rooms('west', 'east'))).toEqual([0, 1, 2])
    await ask('a', rooms('west', 'east'), true)
    const list = (...ids: number[]) =>
      ({ strategy: 'CONFIG', queues: ids.map((queueId) => ({ topic: 'T', queueId })) }) as const
    expect(await ask('a', list(0, 2))).toEqual([0, 2])
    expect(await ask('b', list(2))).toMatch(/b and a are both given T\/2/)
    expect(await ask('b', list(1))).toEqual([1])
  })

  test('a queue has one holder; it changes hands by release, with the next epoch', async () => {
    const world = await openWorld(10, { wire })
    const a = world.caller()
    const b = world.caller()
    await a.call(protocol.createTopic, topicOf('T', 4))
    const alone = await a.call(protocol.leaseQueues, leaseOf('a', ['T']))
    expect(alone.payload.grants).toHaveLength(4)
    const joined = await b.call(protocol.leaseQueues, leaseOf('b', ['T']))
    expect(joined.payload.grants).toHaveLength(0)
    expect(a.pushes.map((push) => push.code)).toContain(40)
    const held = alone.payload.grants.map(({ topic, queueId, epoch }) => ({
      topic,
      queueId,
      epoch,
    }))
    const renewed = await a.call(protocol.leaseQueues, leaseOf('a', ['T'], { held }))
    const revoked = renewed.payload.revoked.map(({ queueId }) => queueId)
    expect(revoked).toEqual([2, 3])
    const kept = held.filter(({ queueId }) => !revoked.includes(queueId))
    await a.call(protocol.leaseQueues, leaseOf('a', ['T'], { held: kept }))
    const granted = await b.call(protocol.leaseQueues, leaseOf('b', ['T']))
    expect(granted.payload.grants.map(({ queueId, epoch }) => [queueId, epoch])).toEqual([
      [2, 2],
      [3, 2],
    ])
  })

  test('a lease that was not renewed is over, and its commit is refused', async () => {
    const world = await openWorld(11, { wire, leaseMs: 1_000 })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    await caller.call(protocol.sendMessage, messageOf('T', 'x'))
    const old = await lease(caller, 'a', 'T')
    await world.run(1_500)
    const ack = { group: 'G', topic: 'T', queueId: 0, offset: queueOffset(0) }
    const request: Commit = { ...emptyCommit, leases: [old], acks: [ack] }
    const refused = await caller.call(protocol.commit, request)
    expect(refused.payload).toMatchObject({ refused: { reason: 'stale-lease' } })
    const pull = pullOf('T', 0, { epoch: old.epoch })
    expect((await caller.call(protocol.pullMessage, pull)).code).toBe(ResponseCode.STALE_LEASE)
    const next = await lease(caller, 'a', 'T')
    expect(next.epoch).toBe(old.epoch + 1)
  })

  test('epochs go on after a crash', async () => {
    const world = await openWorld(12, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    expect((await lease(caller, 'a', 'T')).epoch).toBe(1)
    world.crash()
    await world.reopen()
    expect((await lease(world.caller(), 'a', 'T')).epoch).toBe(2)
  })
})

describe.each(wires)('the one commit over %s', (wire) => {
  test('all of it happens, or nothing of it', async () => {
    const world = await openWorld(13, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    await caller.call(protocol.createTopic, topicOf('Out'))
    await caller.call(protocol.createTopic, topicOf('E', 2, 'event'))
    await caller.call(protocol.sendMessage, messageOf('T', 'x'))
    const ref = await lease(caller, 'a', 'T')
    const ack = { group: 'G', topic: 'T', queueId: 0, offset: queueOffset(0) }
    const event = { type: 'Happened', schema: 1, data: Buffer.from('{}'), metadata: { by: 'ü\n' } }
    const good: Commit = {
      ...emptyCommit,
      leases: [ref],
      acks: [ack],
      appends: [{ category: 'E', stream: 's', expected: 'empty', events: [event, event] }],
      sends: [{ topic: 'Out', shardingKey: 'k', body: Buffer.from('out') }],
      timers: [{ id: 't1', delayMs: 300, message: { topic: 'Out', body: Buffer.from('due') } }],
    }
    const wrongVersion = streamVersion(7)
    const appends = [{ category: 'E', stream: 's', expected: wrongVersion, events: [event] }]
    const conflict = await caller.call(protocol.commit, { ...good, appends })
    expect(conflict.payload).toEqual({
      refused: { reason: 'version-conflict', category: 'E', stream: 's', actual: 0 },
    })
    expect((await caller.call(protocol.pullMessage, pullOf('Out'))).code).toBe(
      ResponseCode.PULL_NOT_FOUND,
    )
    const done = await caller.call(protocol.commit, good)
    expect(done.payload).toMatchObject({ committed: { versions: [2] } })
    const twice = await caller.call(protocol.commit, { ...good, appends: [] })
    expect(twice.payload).toMatchObject({ refused: { reason: 'already-settled' } })
    const stream = await caller.call(protocol.readStream, {
      category: 'E',
      stream: 's',
      fromVersion: streamVersion(1),
      maxEvents: 10,
    })
    expect(stream.payload.version).toBe(2)
    expect(
      stream.payload.events.map((read) => [read.version, read.type, { ...read.metadata }]),
    ).toEqual([
      [1, 'Happened', { by: 'ü\n' }],
      [2, 'Happened', { by: 'ü\n' }],
    ])
    expect(world.broker.status().timersOpen).toBe(1)
    await world.run(400)
    expect(bodies((await caller.call(protocol.pullMessage, pullOf('Out'))).payload)).toEqual([
      'out',
      'due',
    ])
    expect(world.broker.status().timersOpen).toBe(0)
  })

  test('names that would not survive the log are refused by name', async () => {
    const world = await openWorld(17, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('E', 1, 'event'))
    const event = { type: 'E', schema: 1, data: Buffer.from('{}') }
    // Half a character has no bytes: only a caller in the same process can name a stream so.
    const halved = wire === 'memory' ? ['\ud800'] : []
    for (const stream of ['', 'a\u0002b', 'x'.repeat(1_025), ...halved]) {
      const appends = [{ category: 'E', stream, expected: 'any' as const, events: [event] }]
      const reply = await caller.call(protocol.commit, { ...emptyCommit, appends })
      expect(reply.code).toBe(ResponseCode.INVALID_PARAMETER)
      expect(reply.remark).toContain('a stream')
    }
  })

  test('a cancelled timer does not fire; an event topic refuses plain sends', async () => {
    const world = await openWorld(14, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('Out'))
    await caller.call(protocol.createTopic, topicOf('E', 1, 'event'))
    const timers = [{ id: 't', delayMs: 100, message: { topic: 'Out', body: Buffer.from('due') } }]
    await caller.call(protocol.commit, { ...emptyCommit, timers })
    await caller.call(protocol.commit, { ...emptyCommit, cancels: ['t', 'unknown'] })
    await world.run(500)
    expect((await caller.call(protocol.pullMessage, pullOf('Out'))).code).toBe(
      ResponseCode.PULL_NOT_FOUND,
    )
    expect((await caller.call(protocol.sendMessage, messageOf('E', 'x'))).code).toBe(
      ResponseCode.NO_PERMISSION,
    )
  })

  test('a timer fires once, also when the broker dies before it is due', async () => {
    const world = await openWorld(15, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('Out'))
    const timers = [
      { id: 't', delayMs: 5_000, message: { topic: 'Out', body: Buffer.from('due') } },
    ]
    await caller.call(protocol.commit, { ...emptyCommit, timers })
    world.crash()
    await world.reopen()
    await world.run(6_000)
    const next = world.caller()
    expect(bodies((await next.call(protocol.pullMessage, pullOf('Out'))).payload)).toEqual(['due'])
    world.crash()
    await world.reopen()
    await world.run(6_000)
    const last = await world.caller().call(protocol.pullMessage, pullOf('Out'))
    expect(bodies(last.payload)).toEqual(['due'])
  })

  test('acknowledgements out of order settle the place when the gap closes', async () => {
    const world = await openWorld(16, { wire })
    const caller = world.caller()
    await caller.call(protocol.createTopic, topicOf('T'))
    for (const body of ['a', 'b', 'c'])
      await caller.call(protocol.sendMessage, messageOf('T', body))
    const ref = await lease(caller, 'i', 'T')
    const settle = (offset: number): Promise<unknown> =>
      caller.call(protocol.commit, {
        ...emptyCommit,
        leases: [ref],
        acks: [{ group: 'G', topic: 'T', queueId: 0, offset: queueOffset(offset) }],
      })
    await settle(2)
    await settle(1)
    expect(world.broker.status().queues[0]).toMatchObject({ watermark: 0, settledAbove: 2 })
    world.crash()
    await world.reopen()
    expect(world.broker.status().queues[0]).toMatchObject({ watermark: 0, settledAbove: 2 })
    const again = world.caller()
    const regrant = await again.call(protocol.leaseQueues, leaseOf('i', ['T']))
    expect(regrant.payload.grants[0]).toMatchObject({ watermark: 0, settled: [1, 2] })
    const held = regrant.payload.grants[0]
    await again.call(protocol.commit, {
      ...emptyCommit,
      leases: [{ ...ref, epoch: held?.epoch ?? leaseEpoch(0) }],
      acks: [{ group: 'G', topic: 'T', queueId: 0, offset: queueOffset(0) }],
    })
    expect(world.broker.status().queues[0]).toMatchObject({ watermark: 3, settledAbove: 0 })
  })
})
