/**
 * The next messages of a queue, from the broker that has it, by the tags that its listener wants.
 * A place that the broker moved, by a reset or because old messages are gone, ends the epoch: what
 * is in hand does not count any more, and the queue begins where the broker says.
 */
import { sleep } from '@sagalog/kernel'
import {
  pullMessage as pullRequest,
  type PullMessageRequest,
  type PullMessageResponse,
  ResponseCode,
} from '@sagalog/protocol'
import type { Reply } from '../../connection.js'
import { ClientError } from '../../errors.js'
import { askBroker, type Cluster } from '../cluster.js'
import type { GroupSession } from '../group-session.js'
import { PULL_AFTER_PROBLEM_MS } from '../limits.js'
import type { SessionQueue } from '../session-queue.js'

type Answer = Reply<PullMessageResponse>

const STALE: Answer = {
  code: ResponseCode.STALE_LEASE,
  remark: 'the queue is not held under this epoch any more',
  payload: undefined,
}

const FOUND_OR_NOT: ReadonlySet<number> = new Set([
  ResponseCode.SUCCESS,
  ResponseCode.PULL_NOT_FOUND,
  ResponseCode.PULL_RETRY_IMMEDIATELY,
])

export async function pullMessage(
  cluster: Cluster,
  request: PullMessageRequest,
  deadlineMs: number,
): Promise<Answer> {
  const { consumerGroup, epoch, queueId, topic } = request
  const session = cluster.groups.of(consumerGroup)
  const queue = session?.find(topic, queueId, epoch)
  const address = queue && cluster.routes.addressOf(queue.at.brokerName)
  if (session === undefined || queue === undefined || address === undefined) return STALE
  const payload = requestOf(request, queue)
  let reply: Answer
  try {
    reply = await askBroker(cluster, address, { codec: pullRequest, payload, deadlineMs })
  } catch (thrown) {
    if (ClientError.is(thrown) && thrown.code === 'UNREACHABLE') await pause(cluster)
    throw thrown
  }
  if (session.find(topic, queueId, epoch) !== queue) return STALE
  if (reply.payload === undefined) await pause(cluster)
  return await taken(reply, { queue, session })
}

/** Its broker is away or refuses: asking at once would not help. */
const pause = ({ ports }: Cluster): Promise<void> => sleep(ports.clock, PULL_AFTER_PROBLEM_MS)

function requestOf(request: PullMessageRequest, { at, tags }: SessionQueue): PullMessageRequest {
  return {
    consumerGroup: request.consumerGroup,
    topic: request.topic,
    queueId: at.queueId,
    queueOffset: request.queueOffset,
    maxMessages: request.maxMessages,
    maxBytes: request.maxBytes,
    suspendMs: request.suspendMs,
    subscription: tags,
    expressionType: 'TAG',
    // Without a `commitOffset`: the broker may take it up after a place that was written later.
  }
}

async function taken(
  reply: Answer,
  { queue, session }: { readonly queue: SessionQueue; readonly session: GroupSession },
): Promise<Answer> {
  const { code, payload } = reply
  if (payload === undefined) return reply
  if (code === ResponseCode.PULL_OFFSET_MOVED) {
    await session.move(queue, payload.nextBeginOffset)
    return STALE
  }
  if (!FOUND_OR_NOT.has(code)) return reply
  queue.place.fetched(payload.messages, payload.nextBeginOffset)
  for (const message of payload.messages) withNumber(message, queue.queueId)
  return reply
}

/** Where a stored message says its queue. */
const QUEUE_ID_AT = 12

/** Above here a queue is its number. The bytes came with the reply and are nobody else's. */
const withNumber = (message: Buffer, queueId: number): number =>
  message.writeInt32BE(queueId, QUEUE_ID_AT)
