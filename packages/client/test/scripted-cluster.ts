/**
 * A RocketMQ cluster by script: name servers and brokers that answer as Apache's do, each over
 * channels of its own, so that a test can say who is away. What Apache's own do is tested with
 * them, in test/cluster.
 */
import { position, queueOffset } from '@sagalog/kernel'
import { seededRandom, simulatedTime, type SimulatedTime } from '@sagalog/kernel/testing'
import * as protocol from '@sagalog/protocol'
import { type BrokerRoute, hostBytes, nothing, offsetId, ResponseCode } from '@sagalog/protocol'
import type { Connection } from '../src/index.js'
import { openCluster } from '../src/rocketmq/index.js'
import { passed, type ScriptedPeer, scriptedPeer } from './scripted-peer.js'

export interface ScriptedBroker extends ScriptedPeer {
  readonly name: string
  /** `host:port`. */
  readonly address: string
  /** What was stored, in the order in which it came. */
  readonly stored: { readonly topic: string; readonly queueId: number; readonly body: string }[]
  /** Is not reachable from now on, and its channel is gone. */
  die(): void
}

export interface ScriptedCluster {
  readonly time: SimulatedTime
  readonly names: readonly ScriptedPeer[]
  readonly a: ScriptedBroker
  readonly b: ScriptedBroker
  /** The routes that the name servers tell. */
  readonly routes: Map<string, readonly BrokerRoute[]>
  readonly connection: Connection
  pass(ms: number): Promise<void>
}

export interface ScriptedClusterOptions {
  readonly seed?: number
  readonly requestTimeoutMs?: number
  /** Two unless told. */
  readonly nameServers?: number
}

type Peer = ReturnType<typeof scriptedPeer>

function broker(peer: Peer, name: string, address: string): ScriptedBroker {
  const stored: ScriptedBroker['stored'][number][] = []
  const lengths = new Map<string, number>()
  const store = (topic: string, queueId: number, body: Buffer) => {
    const queue = `${topic} ${queueId}`
    const at = lengths.get(queue) ?? 0
    lengths.set(queue, at + 1)
    const place = position(64 * stored.push({ topic, queueId, body: body.toString() }))
    return { msgId: offsetId(hostBytes(address), place), queueId, queueOffset: queueOffset(at) }
  }
  peer.on(protocol.heartbeat, () => ({ payload: nothing }))
  peer.on(protocol.unregister, () => ({ payload: nothing }))
  peer.on(protocol.sendMessage, ({ body, queueId, topic }) => ({
    payload: store(topic, queueId, body),
  }))
  peer.on(protocol.sendBatch, ({ messages, queueId, topic }) => {
    const all = messages.map(({ body }) => store(topic, queueId, body))
    const [first] = all
    const msgId = all.map((one) => one.msgId).join(',')
    return first === undefined
      ? { code: ResponseCode.MESSAGE_ILLEGAL }
      : { payload: { ...first, msgId } }
  })
  peer.on(protocol.endTransaction, () => ({ payload: {} }))
  const die = (): void => {
    peer.isReachable = false
    peer.drop()
  }
  return Object.assign(peer, { name, address, stored, die })
}

/** Brokers `broker-a` and `broker-b`; the topic `numbers` has two queues on each. */
export function scriptedCluster(options: ScriptedClusterOptions = {}): ScriptedCluster {
  const random = seededRandom(options.seed ?? 1)
  const time = simulatedTime(random.fork('time'))
  const peers = new Map<string, Peer>()
  const peerAt = (address: string): Peer => {
    const peer = scriptedPeer()
    peers.set(address, peer)
    return peer
  }
  const a = broker(peerAt('10.0.0.1:10911'), 'broker-a', '10.0.0.1:10911')
  const b = broker(peerAt('10.0.0.2:10911'), 'broker-b', '10.0.0.2:10911')
  const on = ({ address, name }: ScriptedBroker, queues: number, perm = 6): BrokerRoute => {
    return {
      brokerName: name,
      brokerAddress: address,
      readQueues: queues,
      writeQueues: queues,
      perm,
    }
  }
  // In no order: who numbers queues must sort them.
  const routes = new Map<string, readonly BrokerRoute[]>([
    ['numbers', [on(b, 2), on(a, 2)]],
    [protocol.AUTO_CREATE_TOPIC_KEY_TOPIC, [on(a, 8, 7), on(b, 8, 7)]],
  ])
  const addresses = Array.from({ length: options.nameServers ?? 2 }, (_, n) => `10.0.1.${n}:9876`)
  const names = addresses.map((address) => {
    const peer = peerAt(address)
    peer.on(protocol.topicRoute, ({ topic }) => {
      const [first, ...others] = routes.get(topic) ?? []
      if (first === undefined) return { code: ResponseCode.TOPIC_NOT_EXIST, remark: 'none' }
      return { payload: { ...first, others } }
    })
    peer.on(protocol.clusterInfo, () => {
      const brokers = [a, b].map(({ address: at, name }) => ({
        brokerName: name,
        brokerAddress: at,
      }))
      return { payload: { brokers } }
    })
    return peer
  })
  const connection = openCluster({
    nameServers: addresses,
    connectTo: (address) =>
      peers.get(address)?.connect() ?? Promise.reject(new Error(`nobody has ${address}`)),
    ports: { clock: time.nodeClock(), random },
    ...(options.requestTimeoutMs === undefined
      ? {}
      : { requestTimeoutMs: options.requestTimeoutMs }),
  })
  return { time, names, a, b, routes, connection, pass: (ms) => passed(time, ms) }
}
