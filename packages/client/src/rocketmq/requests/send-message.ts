/** Stores one message at the broker of its queue. */
import {
  MessageConst,
  propertyOf,
  sendMessage as sendMessageRequest,
  type SendMessageRequest,
  type SendMessageResponse,
} from '@sagalog/protocol'
import type { Reply } from '../../connection.js'
import { ClientError } from '../../errors.js'
import type { Cluster } from '../cluster.js'
import { sendWithRetries } from '../send-retry.js'
import { toward } from '../send-target.js'

export function sendMessage(
  cluster: Cluster,
  request: SendMessageRequest,
  deadlineMs: number,
): Promise<Reply<SendMessageResponse>> {
  // Which send must be stored first is a field of ours; here a key's sends wait for each other.
  const { behind: _, ...bare } = request
  const { properties } = request
  const send = { codec: sendMessageRequest, request: bare, properties, deadlineMs }
  return sendWithRetries(cluster, send)
}

/** What can not go at once is lost, as it is with a single broker. */
export function sendOneWay(cluster: Cluster, request: SendMessageRequest): boolean {
  const { properties } = request
  const unlessLost = (thrown: unknown): void => {
    if (!ClientError.is(thrown)) throw thrown
  }
  if (propertyOf(properties, MessageConst.PROPERTY_SHARDING_KEY) !== undefined) {
    // Only whoever hears of the one before can keep the order of a key.
    const deadlineMs = cluster.ports.clock.monotonicMs() + cluster.requestTimeoutMs
    sendMessage(cluster, request, deadlineMs).catch(unlessLost)
    return true
  }
  toward(cluster, request, { properties, sent: [] }).then(({ address, queueId }) => {
    cluster.brokers.at(address).oneWay(sendMessageRequest, { ...request, queueId })
  }, unlessLost)
  return true
}
