/** A send whose answer got lost is made again, as the same message, as long as there is time. */
import { position, queueOffset } from '@sagalog/kernel'
import {
  decodeProperties,
  endTransaction,
  heartbeat,
  listTopics,
  MessageSysFlag,
  offsetId,
  ResponseCode,
  sendBatch,
  sendMessage,
  type SendMessageRequest,
  sendNumberIn,
  topicRoute,
} from '@sagalog/protocol'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { ClientError, createProducer, topic } from '../src/index.js'
import { world } from './scripted-peer.js'

const Numbers = topic('numbers', t.number)
const HOST = Buffer.from([127, 0, 0, 1, 0, 0, 0x2a, 0x9f])
const STORED = { msgId: offsetId(HOST, position(64)), queueId: 0, queueOffset: queueOffset(0) }

function lossyWorld(isSagalog = true) {
  const scene = world({ requestTimeoutMs: 400 })
  const { peer } = scene
  const codes: number[] = []
  peer.on(heartbeat, () => ({ payload: {} }))
  peer.on(topicRoute, () => ({
    payload: { brokerName: 'b', brokerAddress: 'h:1', readQueues: 4, writeQueues: 4, perm: 6 },
  }))
  peer.on(listTopics, () =>
    isSagalog
      ? { payload: { topics: [], hasMore: false } }
      : { code: ResponseCode.REQUEST_CODE_NOT_SUPPORTED },
  )
  /** The next sends get these: a code, or nothing and the loss of the connection. */
  const answers: (number | 'drop' | 'silence')[] = []
  const answer = () => {
    const next = answers.shift() ?? ResponseCode.SUCCESS
    if (next === 'drop') scene.time.plan(1, () => peer.drop())
    if (typeof next === 'string') return undefined
    codes.push(next)
    return next === ResponseCode.SUCCESS ? { payload: STORED } : { code: next, remark: 'so' }
  }
  peer.on(sendMessage, answer)
  peer.on(sendBatch, answer)
  return { ...scene, answers }
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'resolved'
  } catch (thrown) {
    return ClientError.is(thrown) ? `${thrown.code} ${thrown.state}` : String(thrown)
  }
}

const idOf = ({ properties }: SendMessageRequest): string =>
  decodeProperties(properties).get('UNIQ_KEY') ?? ''

const FULL = ResponseCode.SERVICE_NOT_AVAILABLE
const { PRODUCER_FORGOTTEN, MESSAGE_ILLEGAL, SYSTEM_BUSY } = ResponseCode

describe('a send whose answer got lost', () => {
  it('is made again as the same message, and its result is that of the answer', async () => {
    const { answers, connection, pass, peer } = lossyWorld()
    const producer = createProducer(connection, { group: 'p', sendTimeoutMs: 3_000 })
    answers.push('drop', 'silence', SYSTEM_BUSY, FULL)
    const sending = producer.send(Numbers, 1, { shardingKey: 'k' })
    await pass(1_500)
    const sent = peer.of(sendMessage)
    expect(sent).toHaveLength(5)
    expect(new Set(sent.map(idOf)).size).toBe(1)
    expect(new Set(sent.map(({ queueId }) => queueId)).size).toBe(1)
    expect(sent.every(({ sysFlag }) => sysFlag === MessageSysFlag.SEQUENCED)).toBe(true)
    expect(await sending).toEqual({
      status: 'SEND_OK',
      topic: 'numbers',
      messageId: sent[0] === undefined ? '' : idOf(sent[0]),
      offsetMessageId: STORED.msgId,
      queueId: 0,
      queueOffset: 0,
      transactionId: sent[0] === undefined ? '' : idOf(sent[0]),
    })
  })

  it('of a batch and of a half as well', async () => {
    const { answers, connection, pass, peer } = lossyWorld()
    const checkBack = async () => 'unknown' as const
    const options = { group: 'p', sendTimeoutMs: 3_000, checkBack }
    const producer = createProducer(connection, options)
    peer.on(endTransaction, ({ decision }) => ({ payload: { outcome: decision } }))
    answers.push('drop')
    const batch = producer.sendBatch(Numbers, [{ body: 1 }, { body: 2 }])
    await pass(300)
    expect(await batch).toMatchObject([{ status: 'SEND_OK' }, { queueOffset: 1 }])
    const [first, again] = peer.of(sendBatch)
    expect(again).toEqual(first)

    answers.push('silence')
    const half = producer.sendInTransaction(Numbers, 1, {}, async () => 'commit')
    await pass(1_000)
    const result = await half
    expect(result).toMatchObject({ outcome: 'commit', sent: { status: 'SEND_OK' } })
    const ids = peer.of(sendMessage).map(idOf)
    expect(ids).toEqual([result.sent.messageId, result.sent.messageId])
    expect(result.sent.transactionId).toBe(result.half.transactionId)
  })

  it('is given up when the time is up, and says what is known of it', async () => {
    const { answers, connection, pass } = lossyWorld()
    const producer = createProducer(connection, { group: 'p', sendTimeoutMs: 1_000 })
    const end = async (...given: typeof answers): Promise<string> => {
      answers.push(...given)
      const ended = codeOf(producer.send(Numbers, 1))
      await pass(1_600)
      answers.length = 0
      return ended
    }
    expect(await end('silence', 'silence', 'silence')).toBe('TIMEOUT unknown')
    // Refused at the end, yet the first try may be stored.
    expect(await end('drop', MESSAGE_ILLEGAL)).toBe('DISCONNECTED unknown')
    expect(await end('drop', PRODUCER_FORGOTTEN)).toBe('DISCONNECTED unknown')
    expect(await end('drop', ...Array<number>(60).fill(FULL))).toBe('DISCONNECTED unknown')
    expect(await end(...Array<number>(60).fill(FULL))).toBe('REJECTED unchanged')
    expect(await end(...Array<number>(60).fill(SYSTEM_BUSY))).toBe('OVERLOADED unchanged')
    expect(await end(MESSAGE_ILLEGAL)).toBe('REJECTED unchanged')
  })

  it('is not made again where nobody would know it again', async () => {
    const { answers, connection, pass, peer } = lossyWorld(false)
    const producer = createProducer(connection, { group: 'p', sendTimeoutMs: 3_000 })
    answers.push('drop')
    const ended = codeOf(producer.send(Numbers, 1))
    await pass(1_000)
    expect(await ended).toBe('DISCONNECTED unknown')
    expect(peer.of(sendMessage)).toHaveLength(1)
  })
})

describe('the numbers of a producer', () => {
  it('say which sends have ended, and name the one before of the same key', async () => {
    const { answers, connection, pass, peer } = lossyWorld()
    const producer = createProducer(connection, { group: 'p', sendTimeoutMs: 3_000 })
    answers.push('drop')
    const sends = [1, 2, 3].map((n) => producer.send(Numbers, n, { shardingKey: 'k' }))
    await pass(500)
    await Promise.all(sends)
    await producer.send(Numbers, 4, { shardingKey: 'k' })
    const numbers = peer.of(sendMessage).map(({ behind, properties }) => {
      const { floor, number } = sendNumberIn(properties) ?? {}
      return { number, floor, behind }
    })
    expect(numbers.slice(0, 3)).toEqual([
      { number: 0, floor: 0, behind: undefined },
      { number: 1, floor: 0, behind: 0 },
      { number: 2, floor: 0, behind: 1 },
    ])
    expect(numbers.at(-1)).toEqual({ number: 3, floor: 3, behind: undefined })
  })

  it('begin anew when the broker has forgotten them', async () => {
    const { answers, connection, peer } = lossyWorld()
    const producer = createProducer(connection, { group: 'p' })
    await producer.send(Numbers, 1)
    answers.push(PRODUCER_FORGOTTEN)
    const { messageId } = await producer.send(Numbers, 2)
    const [first, refused, again] = peer
      .of(sendMessage)
      .map(({ properties }) => sendNumberIn(properties))
    expect(refused).toMatchObject({ number: 1, producer: first?.producer })
    expect(again).toMatchObject({ number: 0, floor: 0 })
    expect(again?.producer).not.toBe(first?.producer)
    const last = peer.of(sendMessage).at(-1)
    expect(last === undefined ? '' : idOf(last)).toBe(messageId)
  })
})
