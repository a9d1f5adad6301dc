/** Stores one message at the broker of its queue. */
import {
  sendMessage as sendMessageRequest,
  type SendMessageRequest,
  type SendMessageResponse,
} from '@sagalog/protocol'
import type { Reply } from '../../connection.js'
import type { Cluster } from '../cluster.js'
import { ClientError } from '../../errors.js'
import { sendWithRetries } from '../send-retry.js'
import { toward } from '../send-target.js'

export function sendMessage(
  cluster: Cluster,
  request: SendMessageRequest,
  deadlineMs: number,
): Promise<Reply<SendMessageResponse>> {
  const { properties } = request
  return sendWithRetries(cluster, { codec: sendMessageRequest, request, properties, deadlineMs })
}

/** What can not go at once is lost, as it is with a single broker. */
export function sendOneWay(cluster: Cluster, request: SendMessageRequest): boolean {
  toward(cluster, request, { properties: request.properties, sent: [] }).then(
    ({ address, queueId }) => {
      cluster.brokers.at(address).oneWay(sendMessageRequest, { ...request, queueId })
    },
    (thrown: unknown) => {
      if (!ClientError.is(thrown)) throw thrown
    },
  )
  return true
}
