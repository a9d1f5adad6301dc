/** Sagalog over TCP: our client in this process, `sagalog start` in another, replies synced. */
import {
  createConsumer,
  createProducer,
  ensureTopic,
  openConnection,
  topic,
  type Topic,
} from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { brokerStatus } from '@sagalog/protocol'
import * as t from 'io-ts'
import { join } from 'node:path'
import { startBroker } from './remoting-broker.js'
import { processorMs, type RemotingPeer, type Sample } from './remoting-peer.js'

const BODY = 'x'.repeat(126)
const QUEUES = 8

const wait = (ms: number): Promise<void> => new Promise((done) => void setTimeout(done, ms))

export async function sagalogPeer(directory: string): Promise<RemotingPeer> {
  const broker = await startBroker(join(directory, 'sagalog'))
  const connection = openConnection({
    connect: connectTcp({ host: broker.host, port: broker.port }),
    ports: { clock: nodeClock(), random: nodeRandom() },
    requestTimeoutMs: 30_000,
  })
  const producer = createProducer(connection, { group: 'bench', checkBack: async () => 'commit' })
  const Sent = topic('sent', t.string, { queues: QUEUES })
  const Batched = topic('batched', t.string, { queues: QUEUES })
  const Decided = topic('decided', t.string, { queues: QUEUES })
  let topics = 0
  for (const each of [Sent, Batched, Decided]) await ensureTopic(connection, each)

  /** A topic that nobody has written to. */
  async function newTopic(): Promise<Topic<string>> {
    topics += 1
    const made = topic(`made-${topics}`, t.string, { queues: QUEUES })
    await ensureTopic(connection, made)
    return made
  }
  const batchTo = (target: Topic<string>, messages: number) =>
    producer.sendBatch(
      target,
      Array.from({ length: messages }, () => ({ body: BODY })),
    )

  async function consume(messages: number): Promise<Sample> {
    const target = await newTopic()
    for (let left = messages; left > 0; left -= 500) await batchTo(target, Math.min(left, 500))
    let handled = 0
    let firstMs = 0
    const consumer = createConsumer(connection, { group: `g-${target.name}`, instance: 'one' })
    await new Promise<void>((resolve, reject) => {
      consumer.listen(target, async () => {
        if (handled === 0) firstMs = performance.now()
        handled += 1
        if (handled === messages) resolve()
      })
      consumer.start().catch(reject)
    })
    // Closing waits for what is in hand, so the last acknowledgements are part of the time.
    await consumer.close()
    return { operations: messages, elapsedMs: performance.now() - firstMs, latenciesMs: [] }
  }

  async function endToEnd(perSecond: number, durationMs: number): Promise<Sample> {
    const target = await newTopic()
    const sentMs: number[] = []
    const latenciesMs: number[] = []
    const consumer = createConsumer(connection, { group: `g-${target.name}`, instance: 'one' })
    consumer.listen(target, async ({ body }) => {
      const now = performance.now()
      latenciesMs.push(now - (sentMs[Number.parseInt(body, 10)] ?? now))
    })
    await consumer.start()
    const startedMs = performance.now()
    const wanted = Math.ceil((perSecond * durationMs) / 1000)
    const sends: Promise<unknown>[] = []
    while (sentMs.length < wanted) {
      const due = Math.min(wanted, ((performance.now() - startedMs) * perSecond) / 1000)
      while (sentMs.length < due) {
        const body = `${sentMs.length}`.padEnd(BODY.length, ' ')
        sentMs.push(performance.now())
        sends.push(producer.send(target, body))
      }
      await wait(1)
    }
    for (const send of sends) await send
    const elapsedMs = performance.now() - startedMs
    for (let tries = 0; latenciesMs.length < wanted && tries < 1_000; tries += 1) await wait(10)
    await consumer.close()
    if (latenciesMs.length !== wanted)
      throw new Error(`${latenciesMs.length} of ${wanted} messages were handled`)
    return { operations: wanted, elapsedMs, latenciesMs }
  }

  return {
    peer: 'sagalog',
    durability: 'sync',
    sends: (callers, durationMs) =>
      repeated(() => producer.send(Sent, BODY), { callers, durationMs, each: 1 }),
    batches: (callers, messages, durationMs) =>
      repeated(() => batchTo(Batched, messages), { callers, durationMs, each: messages }),
    consume,
    endToEnd,
    transactions: (callers, durationMs) =>
      repeated(() => producer.sendInTransaction(Decided, BODY, {}, async () => 'commit'), {
        callers,
        durationMs,
        each: 1,
      }),
    cpuMs: () => ({ client: processorMs(process.pid), broker: processorMs(broker.pid) }),
    earlyReplies: async () => (await connection.call(brokerStatus, {})).earlyReplies,
    async close() {
      producer.close()
      connection.close()
      await broker.stop()
    },
  }
}

interface Repeat {
  readonly callers: number
  readonly durationMs: number
  /** Operations of one call. */
  readonly each: number
}

/** So many callers, each calling again when it was answered, until the time is up. */
async function repeated(call: () => Promise<unknown>, repeat: Repeat): Promise<Sample> {
  const { callers, durationMs, each } = repeat
  const latenciesMs: number[] = []
  const startMs = performance.now()
  const loop = async (): Promise<void> => {
    for (let nowMs = startMs; nowMs - startMs < durationMs;) {
      const sentMs = performance.now()
      await call()
      nowMs = performance.now()
      latenciesMs.push(nowMs - sentMs)
    }
  }
  await Promise.all(Array.from({ length: callers }, loop))
  return {
    operations: latenciesMs.length * each,
    elapsedMs: performance.now() - startMs,
    latenciesMs,
  }
}
