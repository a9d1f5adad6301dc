/** Sends through a connection to a cluster whose name servers and brokers answer by script. */
import { position, queueOffset } from '@sagalog/kernel'
import {
  checkTransaction,
  createTopic,
  endTransaction,
  heartbeat,
  hostBytes,
  offsetId,
  onewayOf,
  queueForKey,
  ResponseCode,
  sendMessage,
  topicRoute,
  unregister,
  viewMessage,
} from '@sagalog/protocol'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { ClientError, createProducer, ensureTopic, findMessage, topic } from '../src/index.js'
import { scriptedCluster, type ScriptedClusterOptions } from './scripted-cluster.js'
import { storedMessage } from './scripted-peer.js'

const Numbers = topic('numbers', t.number)

function sending(options: ScriptedClusterOptions = {}) {
  const cluster = scriptedCluster(options)
  return { ...cluster, producer: createProducer(cluster.connection, { group: 'p' }) }
}

const ascending = (one: number, other: number): number => one - other

/** What a promise that is expected to reject rejects with, while the world goes on. */
async function failureOf(promise: Promise<unknown>): Promise<ClientError> {
  const thrown: unknown = await promise.then(
    () => new Error('it resolved'),
    (error: unknown) => error,
  )
  if (ClientError.is(thrown)) return thrown
  throw thrown
}

describe('a producer on a cluster', () => {
  it('numbers the queues of all brokers by name and id, and sends to them in turn', async () => {
    const { a, b, producer } = sending()
    const sent = new Set<number>()
    for (let n = 0; n < 8; n += 1) sent.add((await producer.send(Numbers, n)).queueId)
    expect(sent).toEqual(new Set([0, 1, 2, 3]))
    for (const broker of [a, b])
      expect(broker.stored.map(({ queueId }) => queueId).toSorted(ascending)).toEqual([0, 0, 1, 1])
    const index = queueForKey('ann', 4)
    const keyed = await producer.send(Numbers, 9, { shardingKey: 'ann' })
    expect(keyed.queueId).toBe(index)
    const owner = index < 2 ? a : b
    expect(owner.stored.at(-1)).toEqual({ topic: 'numbers', queueId: index % 2, body: '9' })
  })

  it('stores a batch in one queue of one broker', async () => {
    const { a, b, producer } = sending()
    const results = await producer.sendBatch(Numbers, [{ body: 1 }, { body: 2 }, { body: 3 }])
    expect(new Set(results.map(({ queueId }) => queueId)).size).toBe(1)
    expect([...a.stored, ...b.stored].map(({ body }) => body)).toEqual(['1', '2', '3'])
  })

  it('reaches a broker before it sends to it without asking for a reply', async () => {
    const { a, b, producer, pass } = sending()
    for (let n = 0; n < 4; n += 1) producer.sendOneWay(Numbers, n)
    await pass(10)
    expect([a.stored.length, b.stored.length]).toEqual([2, 2])
  })

  it('asks the next name server when the first is away, and stays with it', async () => {
    const { connection, names, pass, producer } = sending()
    const [first, second] = names
    if (first === undefined || second === undefined) throw new Error('there are two')
    first.isReachable = false
    first.drop()
    const sent = producer.send(Numbers, 1)
    await pass(100)
    await sent
    const { connects } = first
    await connection.call(topicRoute, { topic: 'numbers' })
    expect([first.connects, second.connects]).toEqual([connects, 1])
    expect(second.of(topicRoute)).toHaveLength(2)
    second.isReachable = false
    second.drop()
    const failed = failureOf(connection.call(topicRoute, { topic: 'others' }))
    await pass(100)
    expect((await failed).message).toMatch(
      /^UNREACHABLE: nobody answers at 10.0.1.0:9876, 10.0.1.1:9876/,
    )
  })

  it('lets a message of a key go only when the one before it has its answer', async () => {
    const { a, b, producer, pass } = sending()
    const held: (() => void)[] = []
    for (const broker of [a, b])
      broker.on(sendMessage, ({ queueId }, command) => {
        const msgId = offsetId(hostBytes(broker.address), position(64))
        const payload = { msgId, queueId, queueOffset: queueOffset(0) }
        held.push(() => broker.reply(command, payload))
        return undefined
      })
    const bodies = () =>
      [...a.of(sendMessage), ...b.of(sendMessage)].map(({ body }) => String(body))
    const first = producer.send(Numbers, 1, { shardingKey: 'ann' })
    const second = producer.send(Numbers, 2, { shardingKey: 'ann' })
    const third = producer.send(Numbers, 3, { shardingKey: 'ann' })
    await pass(100)
    expect(bodies()).toEqual(['1'])
    held.shift()?.()
    await pass(10)
    expect(bodies()).toEqual(['1', '2'])
    held.shift()?.()
    await pass(10)
    held.shift()?.()
    await Promise.all([first, second, third])
    expect(bodies()).toEqual(['1', '2', '3'])
    for (const request of [...a.of(sendMessage), ...b.of(sendMessage)])
      expect([request.sysFlag, 'behind' in request]).toEqual([0, false])
    // The one behind a message without an answer has no time left, and never leaves.
    const stuck = failureOf(producer.send(Numbers, 4, { shardingKey: 'ann' }))
    const behind = failureOf(producer.send(Numbers, 5, { shardingKey: 'ann' }))
    await pass(4_000)
    expect([(await stuck).code, (await behind).code]).toEqual(['SEND_FAILED', 'OVERLOADED'])
    expect(bodies()).toEqual(['1', '2', '3', '4'])
  })

  it('sends on by the routes that it knows while no name server answers', async () => {
    const { a, b, names, producer, pass } = sending()
    await producer.send(Numbers, 0)
    for (const name of names) {
      name.isReachable = false
      name.drop()
    }
    for (let n = 1; n < 5; n += 1) {
      await pass(20_000)
      const sent = producer.send(Numbers, n)
      await pass(1_000)
      await sent
    }
    expect(a.stored.length + b.stored.length).toBe(5)
  })

  it('keeps its connections to brokers that hear of no group', async () => {
    const { a, b, producer, pass } = sending()
    await producer.send(Numbers, 0)
    await pass(120_000)
    for (const broker of [a, b]) {
      expect(broker.of(heartbeat).length).toBeGreaterThan(5)
      expect(broker.connects).toBe(1)
    }
  })

  it('sends on while one of two brokers is away', async () => {
    const { a, b, producer, pass } = sending()
    await producer.send(Numbers, 0)
    a.die()
    for (let n = 1; n < 9; n += 1) await producer.send(Numbers, n)
    expect(b.stored.length).toBeGreaterThanOrEqual(8)
    a.isReachable = true
    await pass(3_000)
    for (let n = 9; n < 13; n += 1) await producer.send(Numbers, n)
    expect(a.stored.length).toBeGreaterThanOrEqual(2)
  })

  it('keeps a key on its queue, and says that it is not stored while its broker is away', async () => {
    const { a, b, producer, pass } = sending()
    const key = ['ann', 'bob', 'cid', 'dan'].find((name) => queueForKey(name, 4) < 2) ?? ''
    await producer.send(Numbers, 0, { shardingKey: key })
    a.die()
    const failed = failureOf(producer.send(Numbers, 1, { shardingKey: key }))
    await pass(3_000)
    const { code, message, state } = await failed
    expect([code, state]).toEqual(['NOT_STORED', 'unchanged'])
    expect(message).toMatch(
      /Send \[3\] times, still failed, cost \[\d+\]ms, Topic: numbers, BrokersSent: \[broker-a, broker-a, broker-a\]/,
    )
    expect(b.stored).toEqual([])
    const late = producer.send(Numbers, 2, { shardingKey: key })
    await pass(200)
    a.isReachable = true
    await pass(2_200)
    await late
    expect(a.stored.map(({ body }) => body)).toEqual(['0', '2'])
  })
})

describe('a send that fails on a cluster', () => {
  it('goes to another broker, at most three times', async () => {
    const { a, b, producer, pass } = sending()
    const refuse = () => ({ code: ResponseCode.SERVICE_NOT_AVAILABLE, remark: 'the disk is full' })
    a.on(sendMessage, refuse)
    for (let n = 0; n < 4; n += 1) await producer.send(Numbers, n)
    expect(b.stored).toHaveLength(4)
    b.on(sendMessage, refuse)
    const failed = failureOf(producer.send(Numbers, 5))
    await pass(1_000)
    const { code, message } = await failed
    expect(code).toBe('NOT_STORED')
    expect(message).toMatch(/BrokersSent: \[broker-[ab], broker-[ab], broker-[ab]\]: SERVICE_NOT/)
    expect(message).toMatch(/broker-a.*broker-b|broker-b.*broker-a/)
  })

  it('is repeated after a lost reply only without a key, and says then that it may be stored', async () => {
    const { a, b, producer, pass } = sending()
    for (const broker of [a, b])
      broker.on(sendMessage, () => {
        broker.drop()
        return undefined
      })
    const plain = failureOf(producer.send(Numbers, 1))
    await pass(1_000)
    expect([(await plain).code, (await plain).state]).toEqual(['SEND_FAILED', 'unknown'])
    expect(a.of(sendMessage).length + b.of(sendMessage).length).toBe(3)
    const keyed = failureOf(producer.send(Numbers, 2, { shardingKey: 'ann' }))
    await pass(1_000)
    expect((await keyed).message).toMatch(/^SEND_FAILED: Send \[1\] times/)
    expect(a.of(sendMessage).length + b.of(sendMessage).length).toBe(4)
  })

  it('waits for brokers that are busy, and in its turn of its key', async () => {
    const { a, b, producer, pass } = sending()
    let refusals = 5
    for (const broker of [a, b])
      broker.on(sendMessage, ({ queueId, topic: name, body }) => {
        refusals -= 1
        if (refusals >= 0) return { code: ResponseCode.SYSTEM_BUSY, remark: 'busy' }
        broker.stored.push({ topic: name, queueId, body: String(body) })
        const msgId = offsetId(hostBytes(broker.address), position(64))
        return { payload: { msgId, queueId, queueOffset: queueOffset(0) } }
      })
    const keyed = [1, 2, 3].map((n) => producer.send(Numbers, n, { shardingKey: 'ann' }))
    await pass(1_000)
    await Promise.all(keyed)
    expect([...a.stored, ...b.stored].map(({ body }) => body)).toEqual(['1', '2', '3'])
    refusals = Number.POSITIVE_INFINITY
    const failed = failureOf(producer.send(Numbers, 4))
    await pass(4_000)
    expect((await failed).code).toBe('OVERLOADED')
  })

  it('is not repeated when the broker refuses it for good', async () => {
    const { a, b, producer } = sending()
    for (const broker of [a, b])
      broker.on(sendMessage, () => ({ code: ResponseCode.MESSAGE_ILLEGAL, remark: 'too long' }))
    expect((await failureOf(producer.send(Numbers, 1))).code).toBe('REJECTED')
    expect(a.of(sendMessage).length + b.of(sendMessage).length).toBe(1)
  })

  it('ends within its time when nobody answers', async () => {
    const { a, b, producer, pass } = sending({ requestTimeoutMs: 500 })
    for (const broker of [a, b]) broker.on(sendMessage, () => undefined)
    const failed = failureOf(producer.send(Numbers, 1))
    await pass(600)
    expect((await failed).message).toMatch(/^SEND_FAILED: Send \[1\] times.*TIMEOUT/)
  })
})

describe('a topic that the cluster does not have', () => {
  it('is made by its first message where brokers do that', async () => {
    const { a, b, producer, routes } = sending()
    const Fresh = topic('fresh', t.number)
    for (const broker of [a, b])
      broker.on(sendMessage, ({ queueId }) => {
        const { address: brokerAddress, name: brokerName } = broker
        const queues = { readQueues: 4, writeQueues: 4, perm: 6 }
        routes.set('fresh', [{ brokerName, brokerAddress, ...queues }])
        const msgId = offsetId(hostBytes(broker.address), position(64))
        return { payload: { msgId, queueId, queueOffset: queueOffset(0) } }
      })
    const { queueId } = await producer.send(Fresh, 1)
    const [asked] = [...a.of(sendMessage), ...b.of(sendMessage)]
    expect(queueId).toBe(asked?.queueId)
    expect(queueId).toBeLessThan(8)
  })

  it('has no route where they do not, and the error says so and what to do', async () => {
    const { producer, routes } = sending()
    routes.delete('TBW102')
    const { advice, code, message } = await failureOf(producer.send(topic('nope', t.number), 1))
    expect(code).toBe('NO_ROUTE')
    expect(message).toContain('No route info of this topic, nope')
    expect(advice).toContain('ensureTopic')
  })

  it('is made on every broker by ensureTopic, and one that is there is left alone', async () => {
    const { a, b, connection, routes } = sending()
    for (const broker of [a, b])
      broker.on(createTopic, ({ readQueues, topic: name, writeQueues }) => {
        const { address: brokerAddress, name: brokerName } = broker
        const route = { brokerName, brokerAddress, readQueues, writeQueues, perm: 6 }
        routes.set(name, [...(routes.get(name) ?? []), route])
        return { payload: {} }
      })
    await ensureTopic(connection, 'fresh', { queues: 3 })
    for (const broker of [a, b])
      expect(broker.of(createTopic)).toMatchObject([{ topic: 'fresh', writeQueues: 3 }])
    await ensureTopic(connection, 'fresh', { queues: 5 })
    expect(a.of(createTopic).length + b.of(createTopic).length).toBe(2)
    const events = await failureOf(ensureTopic(connection, 'facts', { kind: 'event' }))
    expect(events.code).toBe('UNSUPPORTED')
  })
})

describe('a transaction on a cluster', () => {
  it('is decided at the broker that has the half, and its questions are answered there', async () => {
    const { a, b, connection, pass } = scriptedCluster()
    const producer = createProducer(connection, { group: 'p', checkBack: async () => 'commit' })
    for (let n = 0; n < 4; n += 1) {
      const result = await producer.sendInTransaction(Numbers, n, {}, async () => 'commit')
      expect(result.outcome).toBe('commit')
    }
    for (const broker of [a, b]) {
      expect(broker.stored).toHaveLength(2)
      expect(broker.of(endTransaction)).toHaveLength(2)
      expect(broker.of(heartbeat)[0]).toMatchObject({ producerGroups: ['p'], consumers: [] })
    }
    const check = {
      topic: 'numbers',
      tranStateTableOffset: 7,
      commitLogOffset: position(640),
      msgId: 'X',
      transactionId: 'X',
      offsetMsgId: offsetId(hostBytes(b.address), position(640)),
      message: storedMessage('numbers', 0, 1, { PGROUP: 'p' }),
    }
    b.push(onewayOf(checkTransaction, 1, check))
    await pass(10)
    expect(a.of(endTransaction)).toHaveLength(2)
    expect(b.of(endTransaction).at(-1)).toMatchObject({
      commitLogOffset: 640,
      tranStateTableOffset: 7,
      decision: 'commit',
      fromTransactionCheck: true,
    })
    producer.close()
    await pass(10)
    for (const broker of [a, b])
      expect(broker.of(unregister)).toEqual([{ clientId: connection.clientId, producerGroup: 'p' }])
  })

  it('has an unknown outcome when the reply to its decision gets lost, and asks nobody twice', async () => {
    const { a, b, connection, pass } = scriptedCluster()
    for (const broker of [a, b]) broker.on(endTransaction, () => undefined)
    const producer = createProducer(connection, { group: 'p', checkBack: async () => 'commit' })
    const result = producer.sendInTransaction(Numbers, 1, {}, async () => 'commit')
    await pass(4_000)
    expect(a.of(endTransaction).length + b.of(endTransaction).length).toBe(1)
    expect((await result).outcome).toBe('unknown')
  })
})

describe('a message on a cluster', () => {
  it('is found by its offset id at the broker that has it', async () => {
    const { a, b, connection } = scriptedCluster()
    b.on(viewMessage, () => ({ payload: { message: storedMessage('numbers', 0, 5) } }))
    // The scripted message says that another host stored it: so it is asked for, and not believed.
    const id = offsetId(hostBytes(b.address), position(1_000))
    expect(await findMessage(connection, { id })).toBeUndefined()
    expect([a.of(viewMessage).length, b.of(viewMessage).length]).toEqual([0, 1])
    const elsewhere = offsetId(hostBytes('10.9.9.9:1'), position(1_000))
    expect(await findMessage(connection, { id: elsewhere })).toBeUndefined()
    const failure = await failureOf(findMessage(connection, { position: 1_000 }))
    expect(failure.message).toContain('give the offset id')
  })
})
