/**
 * Chooses the queue of a send among all brokers of the cluster. A message with a sharding key has
 * one queue and no other; one without goes to the queue it was given, or, when that one's broker is
 * away or failed before, to the next of another broker.
 */
import { below } from '@sagalog/kernel'
import { MessageConst, propertyOf, queueForKey, type SendHeader } from '@sagalog/protocol'
import { ClientError } from '../errors.js'
import type { Cluster } from './cluster.js'
import type { QueueNumbers } from './queue-numbers.js'
import type { ClusterRoute } from './route-table.js'

export interface SendTarget {
  readonly brokerName: string
  /** `host:port`. */
  readonly address: string
  /** The queue's id at that broker. */
  readonly queueId: number
  /** Undefined as long as no broker has the topic. */
  readonly numbers: QueueNumbers | undefined
}

export interface SendTries {
  /** Of the message, or of the first one of a batch. */
  readonly properties: string
  /** The brokers it was sent to before, by name. */
  readonly sent: readonly string[]
}

/** Rejects with NO_ROUTE when no broker has the topic or would make it. */
export async function toward(
  cluster: Cluster,
  header: SendHeader,
  { properties, sent }: SendTries,
): Promise<SendTarget> {
  const route = await cluster.routes.of(header.topic)
  if (route === undefined) return await towardMaker(cluster, header, sent)
  const { length } = route.writable
  if (length === 0) {
    const reason = 'none of its queues takes messages (its permission, or its brokers are away)'
    throw new ClientError('NO_ROUTE', { topic: header.topic, reason })
  }
  const key = propertyOf(properties, MessageConst.PROPERTY_SHARDING_KEY)
  if (key !== undefined) return targetAt(cluster, route, queueForKey(key, length))
  const index = Math.max(0, header.queueId)
  let another: SendTarget | undefined
  for (let step = 0; step < length; step += 1) {
    const target = targetAt(cluster, route, (index + step) % length)
    if (sent.includes(target.brokerName)) continue
    if (cluster.brokers.at(target.address).isUp) return target
    another ??= target
  }
  return another ?? targetAt(cluster, route, index % length)
}

function targetAt({ routes }: Cluster, route: ClusterRoute, index: number): SendTarget {
  const { numbers, writable } = route
  const { brokerName, queueId } = numbers.place(writable[index] ?? 0)
  return { brokerName, queueId, numbers, address: routes.addressOf(brokerName) ?? '' }
}

/** The topic is not there: the first message makes it, where brokers are allowed to. */
async function towardMaker(
  { ports, routes }: Cluster,
  { defaultTopicQueueNums, topic }: SendHeader,
  sent: readonly string[],
): Promise<SendTarget> {
  const makers = await routes.willingToCreate()
  const fresh = makers.filter(({ brokerName }) => !sent.includes(brokerName))
  const choice = fresh.length > 0 ? fresh : makers
  const maker = choice[choice.length === 0 ? 0 : below(ports.random, choice.length)]
  if (maker === undefined) {
    const reason = 'the name server does not know it, and no broker makes topics by itself'
    throw new ClientError('NO_ROUTE', { topic, reason })
  }
  const queues = Math.max(1, Math.min(defaultTopicQueueNums, maker.writeQueues))
  const { brokerAddress: address, brokerName } = maker
  return { brokerName, address, queueId: below(ports.random, queues), numbers: undefined }
}
