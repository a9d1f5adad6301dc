/**
 * Where a group begins in a queue: at the place that its broker has of it, or, when it has none,
 * where the consumer was told to. Then the place is written down at once, so that a crash before
 * the first acknowledgement does not move it.
 */
import type { QueueOffset } from '@sagalog/kernel'
import {
  type ConsumeFrom,
  maxOffset,
  minOffset,
  queryConsumerOffset,
  ResponseCode,
  RETRY_GROUP_TOPIC_PREFIX,
  searchOffset,
} from '@sagalog/protocol'
import { rejectedBy } from '../connection.js'
import { askBroker, type Cluster } from './cluster.js'
import type { WantedQueue } from './session-queue.js'

export interface Beginning {
  readonly queue: WantedQueue
  /** `host:port` of its broker. */
  readonly address: string
  readonly from: ConsumeFrom
  readonly deadlineMs: number
}

/** Undefined: the group has no place there. Rejects with ClientError. */
export async function placeOfGroup(
  cluster: Cluster,
  consumerGroup: string,
  { address, deadlineMs, queue }: Beginning,
): Promise<QueueOffset | undefined> {
  const { topic } = queue
  const { queueId } = queue.at
  const payload = { consumerGroup, topic, queueId, setZeroIfNotFound: false }
  const question = { codec: queryConsumerOffset, payload, deadlineMs }
  const reply = await askBroker(cluster, address, question)
  if (reply.code === ResponseCode.QUERY_NOT_FOUND) return undefined
  if (reply.payload === undefined) throw rejectedBy(queryConsumerOffset.name, reply)
  return reply.payload.offset
}

/** Where `from` is in the queue. A retry topic is read from its begin: nothing of it is old. */
export async function placeByTime(
  cluster: Cluster,
  { address, deadlineMs, from, queue }: Beginning,
): Promise<QueueOffset> {
  const payload = { topic: queue.topic, queueId: queue.at.queueId }
  const isFirst = from === 'first' || queue.topic.startsWith(RETRY_GROUP_TOPIC_PREFIX)
  const ask = (): ReturnType<typeof askBroker<unknown, { readonly offset: QueueOffset }>> => {
    if (isFirst) return askBroker(cluster, address, { codec: minOffset, payload, deadlineMs })
    if (from === 'last')
      return askBroker(cluster, address, { codec: maxOffset, payload, deadlineMs })
    const search = { ...payload, timestampMs: from.storedAtMs, boundary: 'lower' as const }
    return askBroker(cluster, address, { codec: searchOffset, payload: search, deadlineMs })
  }
  const reply = await ask()
  if (reply.payload === undefined) throw rejectedBy('where to begin', reply)
  return reply.payload.offset
}
