/**
 * What brokers ask of the consumers behind a connection, for an operator: to go on elsewhere, where
 * they stand, and what they are doing.
 */
import {
  type ClientPlacesRequest,
  type ClientPlacesResponse,
  type ResetClientOffsetRequest,
  ResponseCode,
  type RunningInfoRequest,
  type RunningInfoResponse,
} from '@sagalog/protocol'
import type { Reply } from '../connection.js'
import { ClientError } from '../errors.js'
import type { Cluster } from './cluster.js'
import type { SessionQueue } from './session-queue.js'

/** Moves the queues that are held here; those of others are moved by others. */
export function resetHere({ groups }: Cluster, { group, offsets }: ResetClientOffsetRequest): void {
  const session = groups.of(group)
  for (const { brokerName, offset, queueId, topic } of offsets) {
    const queue = session?.queues.find(
      ({ at, topic: own }) =>
        own === topic && at.brokerName === brokerName && at.queueId === queueId,
    )
    // What does not reach the broker is kept here: the queue begins there all the same.
    if (queue !== undefined) session?.move(queue, offset).catch(unlessTold)
  }
}

export function placesHere(
  { groups }: Cluster,
  { group, topic }: ClientPlacesRequest,
): Reply<ClientPlacesResponse> {
  const session = groups.of(group)
  if (session === undefined) return notHere(group)
  const offsets = session.queues
    .filter((queue) => queue.topic === topic)
    .map(({ at, place }) => ({ topic, ...at, offset: place.watermark }))
  return { code: ResponseCode.SUCCESS, payload: { offsets } }
}

export function runningHere(
  { groups }: Cluster,
  { consumerGroup }: RunningInfoRequest,
): Reply<RunningInfoResponse> {
  const session = groups.of(consumerGroup)
  if (session === undefined) return notHere(consumerGroup)
  const { membership, queues } = session
  const { isPolled, startedAtMs, subscriptions } = membership
  const payload = {
    properties: {
      PROP_CLIENT_VERSION: 'V5_3_3',
      PROP_CONSUMER_START_TIMESTAMP: String(startedAtMs),
      PROP_CONSUME_ORDERLY: String(subscriptions.some(({ topic }) => membership.isOrderly(topic))),
      PROP_CONSUME_TYPE: isPolled ? 'CONSUME_ACTIVELY' : 'CONSUME_PASSIVELY',
    },
    subscriptions,
    queues: queues.map(runningQueue),
  }
  return { code: ResponseCode.SUCCESS, payload }
}

const runningQueue = ({ at, isRevoked, lockedAtMs, place, topic }: SessionQueue) => ({
  topic,
  ...at,
  commitOffset: place.watermark,
  cachedMessages: place.pending,
  isLocked: lockedAtMs !== undefined,
  isDropped: isRevoked,
})

const notHere = (group: string): Reply<never> => ({
  code: ResponseCode.SYSTEM_ERROR,
  remark: `The Consumer Group <${group}> not exist in this consumer`,
  payload: undefined,
})

function unlessTold(thrown: unknown): void {
  if (!ClientError.is(thrown)) throw thrown
}
