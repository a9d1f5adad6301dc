/** What brokers of a cluster ask of consumers, and what consumers ask of them, word by word. */
import { queueOffset } from '@sagalog/kernel'
import * as protocol from '@sagalog/protocol'
import { type Command, isResponse, onewayOf, requestOf, ResponseCode } from '@sagalog/protocol'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { createConsumer, topic } from '../src/index.js'
import { scriptedCluster, type ScriptedBroker } from './scripted-cluster.js'
import { storedMessage } from './scripted-peer.js'

const Numbers = topic('numbers', t.number)
const at = (offset: number) => ({ payload: { offset: queueOffset(offset) } })

/** A consumer that holds the four queues of `numbers`; each begins at 5, and has nothing yet. */
async function consuming() {
  const scene = scriptedCluster()
  const { a, b, connection, pass } = scene
  for (const broker of [a, b]) {
    broker.on(protocol.groupMembers, () => ({ payload: { clientIds: [connection.clientId] } }))
    broker.on(protocol.queryConsumerOffset, () => at(5))
    broker.on(protocol.updateConsumerOffset, () => ({ payload: {} }))
    broker.on(protocol.lockQueues, ({ queues }) => ({ payload: { locked: queues } }))
    broker.on(protocol.unlockQueues, () => ({ payload: {} }))
    broker.on(protocol.pullMessage, () => undefined)
  }
  const seen: number[] = []
  const consumer = createConsumer(connection, { group: 'g', instance: 'i' })
  const handler = async ({ body }: { readonly body: number }) => void seen.push(body)
  consumer.listen(Numbers, handler, { tags: 'red || blue', order: 'orderly' })
  const started = consumer.start()
  await pass(10)
  await started
  await pass(10)
  return { ...scene, consumer, seen }
}

/** What the client answers to a request of a broker. */
async function answerTo(
  { channel }: ScriptedBroker,
  command: Command,
  pass: (ms: number) => Promise<void>,
): Promise<Command> {
  let answer: Command | undefined
  channel?.onItem((item) => {
    if (isResponse(item) && item.opaque === command.opaque) answer = item
  })
  channel?.send(command)
  await pass(10)
  if (answer === undefined) throw new Error('it did not answer')
  return answer
}

/** Answers the pull that waits for a queue. */
function answerPull(
  broker: ScriptedBroker,
  queueId: number,
  reply: { readonly code: number; readonly next: number; readonly messages?: readonly Buffer[] },
): void {
  const pull = broker.received.findLast(({ code, payload }) => {
    const isPull = code === protocol.pullMessage.code
    return isPull && (payload as protocol.PullMessageRequest).queueId === queueId
  })
  if (pull === undefined) throw new Error('nobody pulls')
  const { code, messages = [], next } = reply
  const offsets = { minOffset: queueOffset(0), maxOffset: queueOffset(9) }
  const payload = { ...offsets, nextBeginOffset: queueOffset(next), messages }
  broker.channel?.send(protocol.responseOf(pull, { code, payload }))
}

const pullsOf = (broker: ScriptedBroker, queueId: number) =>
  broker.of(protocol.pullMessage).filter((pull) => pull.queueId === queueId)

describe('a consumer on a cluster', () => {
  it('is rejected by brokers that do not take it into its group, not by such as are away', async () => {
    const { a, b, connection, pass } = scriptedCluster()
    const unknown = () => ({
      code: ResponseCode.SYSTEM_ERROR,
      remark: 'no consumer for this group',
    })
    for (const broker of [a, b]) broker.on(protocol.groupMembers, unknown)
    a.die()
    b.die()
    const problems: string[] = []
    const onProblem = ({ cause }: { readonly cause: unknown }) => problems.push(String(cause))
    const consumer = createConsumer(connection, { group: 'g', instance: 'i', onProblem })
    consumer.listen(Numbers, async () => undefined)
    const started = consumer.start().then(String, String)
    await pass(5_000)
    expect(problems.length).toBeGreaterThan(1)
    expect(problems.every((text) => text.includes('UNREACHABLE'))).toBe(true)
    expect(problems.length).toBeLessThan(8)
    b.isReachable = true
    await pass(5_000)
    expect(await started).toMatch(/REJECTED.*not take this consumer into the group\[g\]/)
  })

  it('says who it is and what it wants before it asks who else is there', async () => {
    const { a, connection } = await consuming()
    const [beat] = a.of(protocol.heartbeat)
    expect(beat).toMatchObject({
      clientId: connection.clientId,
      consumers: [{ group: 'g', mode: 'clustering' }],
    })
    const [{ subscriptions } = { subscriptions: [] }] = beat?.consumers ?? []
    expect(subscriptions).toMatchObject([
      { topic: 'numbers', expression: 'red || blue', expressionType: 'TAG' },
      { topic: '%RETRY%g', expression: '*', expressionType: 'TAG' },
    ])
    const codes = a.received.map(({ code }) => code)
    const first = ({ code }: { readonly code: number }): number => codes.indexOf(code)
    const { groupMembers, heartbeat, lockQueues, pullMessage, queryConsumerOffset } = protocol
    const order = [heartbeat, groupMembers, lockQueues, queryConsumerOffset, pullMessage].map(first)
    expect(order).toEqual(order.toSorted((one, other) => one - other))
  })

  it('pulls each queue by the id of its broker, from its place, with its tags', async () => {
    const { a, b } = await consuming()
    for (const broker of [a, b])
      for (const queueId of [0, 1])
        expect(pullsOf(broker, queueId)).toMatchObject([
          { consumerGroup: 'g', topic: 'numbers', queueOffset: 5, subscription: 'red || blue' },
        ])
    for (const pull of a.of(protocol.pullMessage)) {
      expect(pull.commitOffset).toBeUndefined()
      expect(pull.epoch).toBeUndefined()
    }
  })

  it('goes over what the broker filtered, and tells the place that is behind it', async () => {
    const { a, consumer, pass, seen } = await consuming()
    const message = storedMessage('numbers', 7, 7, { TAGS: 'red' })
    answerPull(a, 1, { code: ResponseCode.SUCCESS, next: 8, messages: [message] })
    await pass(10)
    expect(seen).toEqual([7])
    answerPull(a, 1, { code: ResponseCode.PULL_RETRY_IMMEDIATELY, next: 12 })
    await pass(100)
    expect(pullsOf(a, 1).at(-1)?.queueOffset).toBe(12)
    expect(a.of(protocol.updateConsumerOffset)).toEqual([])
    await pass(5_000)
    const place = { consumerGroup: 'g', topic: 'numbers', queueId: 1, commitOffset: 12 }
    expect(a.of(protocol.updateConsumerOffset)).toEqual([place])
    const closed = consumer.close()
    await pass(100)
    await closed
    expect(a.of(protocol.updateConsumerOffset)).toEqual([place])
    expect(a.of(protocol.unlockQueues).flatMap(({ queues }) => queues)).toHaveLength(2)
  })

  it('begins where its broker moved it, and tells it so', async () => {
    const { a, pass } = await consuming()
    answerPull(a, 0, { code: ResponseCode.PULL_OFFSET_MOVED, next: 2 })
    await pass(100)
    expect(pullsOf(a, 0).at(-1)?.queueOffset).toBe(2)
    expect(a.of(protocol.updateConsumerOffset)).toMatchObject([{ queueId: 0, commitOffset: 2 }])
  })

  it('goes where an operator sends it, also when its broker can not be told', async () => {
    const { a, pass } = await consuming()
    a.on(protocol.updateConsumerOffset, () => ({ code: ResponseCode.SYSTEM_ERROR }))
    const offsets = [
      { topic: 'numbers', brokerName: 'broker-a', queueId: 1, offset: queueOffset(3) },
    ]
    a.push(onewayOf(protocol.resetClientOffset, 1, { topic: 'numbers', group: 'g', offsets }))
    await pass(100)
    expect(pullsOf(a, 1).at(-1)?.queueOffset).toBe(3)
    expect(pullsOf(a, 0)).toHaveLength(1)
  })

  it('answers where it stands and what it does, for its own groups only', async () => {
    const { a, connection, pass } = await consuming()
    const places = requestOf(protocol.clientPlaces, 901, { group: 'g', topic: 'numbers' })
    const answered = await answerTo(a, places, pass)
    const { offsets } = answered.payload as protocol.ClientPlacesResponse
    expect(offsets.map(({ brokerName, offset, queueId }) => [brokerName, queueId, offset])).toEqual(
      [
        ['broker-a', 0, 5],
        ['broker-a', 1, 5],
        ['broker-b', 0, 5],
        ['broker-b', 1, 5],
      ],
    )
    const { clientId } = connection
    const running = requestOf(protocol.runningInfo, 902, { consumerGroup: 'g', clientId })
    const info = (await answerTo(a, running, pass)).payload as protocol.RunningInfoResponse
    expect(info.properties).toMatchObject({ PROP_CONSUME_ORDERLY: 'true' })
    expect(info.queues).toHaveLength(4)
    expect(info.queues[0]).toMatchObject({ commitOffset: 5, isLocked: true, cachedMessages: 0 })
    const strange = requestOf(protocol.runningInfo, 903, { consumerGroup: 'x', clientId })
    expect(await answerTo(a, strange, pass)).toMatchObject({
      code: ResponseCode.SYSTEM_ERROR,
      remark: 'The Consumer Group <x> not exist in this consumer',
    })
  })
})
