/** The world of a contract suite that is a real cluster of Apache's brokers, in real time. */
import { receivedMessage, type Topic } from '@sagalog/client'
import { openCluster } from '@sagalog/client/rocketmq'
import { connectTcpTo } from '@sagalog/client/tcp'
import { queueOffset } from '@sagalog/kernel'
import { nodeClock, nodeRandom } from '@sagalog/kernel/node'
import { decodeStoredMessage, pullMessage, topicRoute } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import type { ContractWorld, Found } from '../../packages/client/test/contract-world.js'
import { RemotingCaller } from './remoting-caller.js'
import type { RocketmqCluster } from './rocketmq-process.js'

const PATIENCE_MS = 60_000
/** How long a reader that has all looks for more. */
const QUIET_MS = 300

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A connection of our client to the cluster, over TCP. */
export function clusterConnection(nameServers: readonly string[]) {
  return openCluster({
    nameServers,
    connectTo: connectTcpTo,
    ports: { clock: nodeClock(), random: nodeRandom() },
  })
}

async function untilTrue(isDone: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS
  while (!isDone()) {
    if (performance.now() > endMs) throw new Error(`it never came to pass: ${what}`)
    await later(20)
  }
}

/** What stands in one queue of a broker, as a client of Apache's would pull it. */
async function queueOf(caller: RemotingCaller, topic: string, queueId: number) {
  const found = []
  let at = 0
  for (;;) {
    const { payload } = await caller.call(pullMessage, {
      consumerGroup: 'contract',
      topic,
      queueId,
      queueOffset: queueOffset(at),
      maxMessages: 32,
      maxBytes: 1 << 20,
      suspendMs: 0,
      subscription: '*',
      expressionType: 'TAG',
    })
    const messages = payload?.messages ?? []
    if (messages.length === 0) return found
    for (const bytes of messages) found.push(receivedMessage(decodeStoredMessage(bytes, 0)))
    at = payload.nextBeginOffset
  }
}

/** Every queue of the topic in its order; queues are numbered by their broker's name and id. */
async function contentsOf<A>(nameServer: string, topic: Topic<A>): Promise<Found<A>[]> {
  const names = await RemotingCaller.connect(nameServer)
  const { payload } = await names.call(topicRoute, { topic: topic.name })
  names.close()
  const { others = [], ...first } = payload
  const brokers = [first, ...others].toSorted((one, other) =>
    one.brokerName < other.brokerName ? -1 : 1,
  )
  const found: Found<A>[] = []
  let number = 0
  for (const { brokerAddress, readQueues } of brokers) {
    const caller = await RemotingCaller.connect(brokerAddress)
    for (let id = 0; id < readQueues; id += 1) {
      for (const message of await queueOf(caller, topic.name, id)) {
        const body = topic.decode(message.body)
        if (E.isLeft(body)) throw new Error(body.left)
        found.push({ ...message, body: body.right, queueId: number })
      }
      number += 1
    }
    caller.close()
  }
  return found
}

export function clusterWorld({ nameServer }: RocketmqCluster): ContractWorld {
  const clock = nodeClock()
  return {
    connection: clusterConnection([nameServer]),
    nowMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs(),
    until: (promise) => promise,
    untilTrue,
    pass: later,
    async read(topic, count) {
      const endMs = performance.now() + PATIENCE_MS
      for (;;) {
        const found = await contentsOf(nameServer, topic)
        if (found.length >= count) break
        if (performance.now() > endMs)
          throw new Error(`${topic.name} has ${found.length} messages of ${count}`)
        await later(100)
      }
      await later(QUIET_MS)
      return await contentsOf(nameServer, topic)
    },
  }
}
