import { queueOffset } from '@sagalog/kernel'
import {
  checkTransaction,
  decodeProperties,
  endTransaction,
  heartbeat,
  offsetId,
  onewayOf,
  queueForKey,
  ResponseCode,
  sendMessage,
  type SendMessageRequest,
  topicRoute,
} from '@sagalog/protocol'
import { position } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { ClientError, createProducer, topic } from '../src/index.js'
import { type ScriptedPeer, storedMessage, world } from './scripted-peer.js'

const Numbers = topic('numbers', t.number)
const HOST = Buffer.from([127, 0, 0, 1, 0, 0, 0x2a, 0x9f])

function producerWorld() {
  const scene = world()
  const { peer } = scene
  peer.on(heartbeat, () => ({ payload: {} }))
  peer.on(topicRoute, () => ({
    payload: { brokerName: 'b', brokerAddress: 'h:1', readQueues: 4, writeQueues: 4, perm: 6 },
  }))
  peer.on(sendMessage, ({ queueId }) => ({
    payload: { msgId: offsetId(HOST, position(640)), queueId, queueOffset: queueOffset(3) },
  }))
  return scene
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'resolved'
  } catch (thrown) {
    return ClientError.is(thrown) ? `${thrown.code} ${thrown.state}` : String(thrown)
  }
}

describe('a producer', () => {
  it('sends to the queue of the key, and without a key to all queues in turn', async () => {
    const { connection, peer } = producerWorld()
    const producer = createProducer(connection, { group: 'p' })
    const keyed = await producer.send(Numbers, 1, {
      shardingKey: 'ann',
      tags: 'new',
      keys: ['a', 'b'],
      properties: { colour: 'red' },
    })
    expect(keyed.queueId).toBe(queueForKey('ann', 4))
    for (let n = 0; n < 8; n += 1) await producer.send(Numbers, n)
    const [first, ...others] = peer.of(sendMessage)
    const properties = decodeProperties(first?.properties ?? '')
    expect(Object.fromEntries(properties)).toEqual({
      colour: 'red',
      __SHARDINGKEY: 'ann',
      TAGS: 'new',
      KEYS: 'a b',
      UNIQ_KEY: keyed.messageId,
    })
    expect(keyed.messageId).toMatch(/^[0-9A-F]{32}$/)
    const turns = others.map((request) => request.queueId)
    expect(turns.slice(0, 4).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3])
    expect(turns.slice(4)).toEqual(turns.slice(0, 4))
    expect(peer.of(topicRoute)).toHaveLength(1)
  })

  it('keeps the order of sends that wait for one route', async () => {
    const { connection, peer } = producerWorld()
    const producer = createProducer(connection, { group: 'p' })
    const sends = Array.from({ length: 20 }, (_, n) =>
      producer.send(Numbers, n, { shardingKey: 'k' }),
    )
    await Promise.all(sends)
    expect(peer.of(sendMessage).map((request) => Number(request.body))).toEqual(
      Array.from({ length: 20 }, (_, n) => n),
    )
  })

  it('leaves the queue to the broker when it does not know the topic yet', async () => {
    const { connection, peer } = producerWorld()
    const producer = createProducer(connection, { group: 'p' })
    peer.on(topicRoute, () => ({ code: ResponseCode.TOPIC_NOT_EXIST, remark: 'none' }))
    await producer.send(Numbers, 1, { shardingKey: 'k' })
    expect(peer.of(sendMessage)[0]?.queueId).toBe(-1)
    peer.on(sendMessage, () => ({ code: ResponseCode.TOPIC_NOT_EXIST, remark: 'none' }))
    expect(await codeOf(producer.send(Numbers, 2))).toBe('NO_ROUTE unchanged')
    expect(peer.of(topicRoute)).toHaveLength(2)
  })

  it('tries again what the broker was too busy to take, until its time is up', async () => {
    const { connection, pass, peer } = producerWorld()
    const producer = createProducer(connection, { group: 'p' })
    let refusals = 3
    const taken = { msgId: offsetId(HOST, position(64)), queueId: 0, queueOffset: queueOffset(0) }
    peer.on(sendMessage, () => {
      refusals -= 1
      return refusals < 0 ? { payload: taken } : { code: ResponseCode.SYSTEM_BUSY }
    })
    const first = codeOf(producer.send(Numbers, 1))
    await pass(200)
    expect(await first).toBe('resolved')
    refusals = Number.POSITIVE_INFINITY
    const second = codeOf(producer.send(Numbers, 2))
    await pass(3_100)
    expect(await second).toBe('OVERLOADED unchanged')
  })

  it('refuses before anything leaves what can not be a message', async () => {
    const { connection, peer } = producerWorld()
    const producer = createProducer(connection, { group: 'p' })
    const Texts = topic('texts', t.string)
    for (const wrong of [
      producer.send(Numbers, 'x' as never),
      producer.send(Numbers, 1, { tags: 'a||b' }),
      producer.send(Numbers, 1, { shardingKey: '' }),
      producer.send(Numbers, 1, { properties: { a: 'x\u0002y' } }),
      producer.send(Numbers, 1, { properties: { a: 'x'.repeat(40_000) } }),
      producer.send(Texts, 'x'.repeat(5_000_000)),
      producer.sendInTransaction(Numbers, 1, {}, async () => 'commit'),
    ]) {
      expect(await codeOf(wrong)).toBe('INVALID_MESSAGE unchanged')
    }
    expect(peer.of(sendMessage)).toHaveLength(0)
  })

  it('offers the same as TaskEithers', async () => {
    const { connection, peer } = producerWorld()
    const { te } = createProducer(connection, { group: 'p' })
    expect(E.isRight(await te.send(Numbers, 1)())).toBe(true)
    peer.on(sendMessage, () => ({ code: ResponseCode.NO_PERMISSION }))
    const refused = await te.send(Numbers, 2)()
    expect(E.isLeft(refused) && refused.left.code).toBe('REJECTED')
  })
})

/** The broker asks what became of the half that a request stores. */
function pushCheck(peer: ScriptedPeer, request: SendMessageRequest): void {
  const id = decodeProperties(request.properties).get('UNIQ_KEY') ?? ''
  peer.push(
    onewayOf(checkTransaction, 0, {
      topic: Numbers.name,
      tranStateTableOffset: 3,
      commitLogOffset: position(640),
      msgId: id,
      transactionId: id,
      offsetMsgId: offsetId(HOST, position(640)),
      message: storedMessage(Numbers.name, 3, 1, { UNIQ_KEY: id }),
    }),
  )
}

describe('a check-back', () => {
  const stored = { msgId: offsetId(HOST, position(640)), queueId: 0, queueOffset: queueOffset(3) }

  it.each([
    ['in one go with the reply to the half', false],
    ['before the reply to the half', true],
  ])('that comes %s does not decide against the local step', async (_, isCheckFirst) => {
    const { connection, pass, peer } = producerWorld()
    const asked: string[] = []
    const checkBack = async ({ id }: { id: string }) => {
      asked.push(id)
      return 'rollback' as const
    }
    const producer = createProducer(connection, { group: 'p', checkBack })
    peer.on(endTransaction, ({ decision }) => ({ payload: { outcome: decision } }))
    peer.on(sendMessage, (request, command) => {
      if (isCheckFirst) pushCheck(peer, request)
      peer.reply(command, stored)
      if (!isCheckFirst) pushCheck(peer, request)
      return undefined
    })
    const result = await producer.sendInTransaction(Numbers, 1, {}, async () => {
      await pass(100)
      return 'commit'
    })
    expect(result.outcome).toBe('commit')
    expect(asked).toEqual([])
    const decisions = peer.of(endTransaction).map(({ decision }) => decision)
    expect(decisions).toEqual(['unknown', 'commit'])
  })

  it('decides a half whose reply never came', async () => {
    const { connection, pass, peer } = producerWorld()
    const producer = createProducer(connection, { group: 'p', checkBack: async () => 'rollback' })
    peer.on(endTransaction, ({ decision }) => ({ payload: { outcome: decision } }))
    peer.on(sendMessage, () => undefined)
    const lost = codeOf(producer.sendInTransaction(Numbers, 1, {}, async () => 'commit'))
    await pass(3_100)
    expect(await lost).toBe('TIMEOUT unknown')
    const [half] = peer.of(sendMessage)
    if (half !== undefined) pushCheck(peer, half)
    await pass(10)
    expect(peer.of(endTransaction).map(({ decision }) => decision)).toEqual(['rollback'])
  })
})

describe('the confirmation of a transaction', () => {
  it('is repeated while its reply is late, and ends as unknown when the connection is lost', async () => {
    const { connection, pass, peer } = producerWorld()
    const producer = createProducer(connection, { group: 'p', checkBack: async () => 'unknown' })
    let silent = 2
    peer.on(endTransaction, ({ decision }) => {
      silent -= 1
      return silent < 0 ? { payload: { outcome: decision } } : undefined
    })
    const place = () => producer.sendInTransaction(Numbers, 1, {}, async () => 'commit')
    const late = place()
    await pass(6_500)
    expect((await late).outcome).toBe('commit')
    expect(peer.of(endTransaction)).toHaveLength(3)
    expect((await late).half.position).toBe(640)

    silent = Number.POSITIVE_INFINITY
    const lost = place()
    await pass(100)
    peer.drop()
    await pass(100)
    expect((await lost).outcome).toBe('unknown')
  })

  it('gives the decision that stands when another was made before', async () => {
    const { connection, peer } = producerWorld()
    const producer = createProducer(connection, { group: 'p', checkBack: async () => 'unknown' })
    peer.on(endTransaction, () => ({
      code: ResponseCode.ALREADY_DECIDED,
      payload: { outcome: 'rollback' as const },
    }))
    const result = await producer.sendInTransaction(Numbers, 1, {}, async () => 'commit')
    expect(result.outcome).toBe('rollback')
  })
})
