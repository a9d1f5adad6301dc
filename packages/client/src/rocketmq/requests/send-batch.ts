/** Stores many messages in one queue of one broker. */
import {
  sendBatch as sendBatchRequest,
  type SendBatchRequest,
  type SendMessageResponse,
} from '@sagalog/protocol'
import type { Reply } from '../../connection.js'
import type { Cluster } from '../cluster.js'
import { sendWithRetries } from '../send-retry.js'

export function sendBatch(
  cluster: Cluster,
  request: SendBatchRequest,
  deadlineMs: number,
): Promise<Reply<SendMessageResponse>> {
  // A batch has one key or none: that of its first message is that of all.
  const properties = request.messages[0]?.properties ?? ''
  // Apache's broker writes what the header says into each message, over its own: also its id.
  const { behind: _, ...others } = request
  const bare = { ...others, properties: '' }
  const send = { codec: sendBatchRequest, request: bare, properties, deadlineMs }
  return sendWithRetries(cluster, send)
}
