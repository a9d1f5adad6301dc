/**
 * Moves a group in a topic: every broker of it is asked for its own queues. Consumers that are
 * online learn it with their next pull, as RocketMQ's own do.
 */
import {
  resetOffset as resetRequest,
  type ResetOffsetRequest,
  type ResetOffsetResponse,
  ResponseCode,
} from '@sagalog/protocol'
import type { Reply } from '../../connection.js'
import { askBroker, type Cluster } from '../cluster.js'

const ALL = -1

export async function resetOffset(
  cluster: Cluster,
  request: ResetOffsetRequest,
  deadlineMs: number,
): Promise<Reply<ResetOffsetResponse>> {
  const { queueId, topic } = request
  const route = await cluster.routes.refresh(topic)
  const isKnown = route !== undefined && (queueId === ALL || queueId < route.numbers.size)
  if (!isKnown) {
    const remark = route === undefined ? `topic[${topic}] not exist` : `it has no queue ${queueId}`
    return { code: ResponseCode.TOPIC_NOT_EXIST, remark, payload: undefined }
  }
  const only = queueId === ALL ? undefined : route.numbers.place(queueId)
  const offsets: ResetOffsetResponse['offsets'][number][] = []
  for (const { brokerAddress, brokerName } of route.brokers) {
    if (only !== undefined && only.brokerName !== brokerName) continue
    const payload = { ...request, queueId: only?.queueId ?? ALL }
    const question = { codec: resetRequest, payload, deadlineMs }
    const reply = await askBroker(cluster, brokerAddress, question)
    if (reply.payload === undefined) return reply
    for (const { offset, queueId: id } of reply.payload.offsets) {
      const number = route.numbers.of({ brokerName, queueId: id })
      offsets.push({ topic, brokerName, queueId: number, offset })
    }
  }
  return { code: ResponseCode.SUCCESS, payload: { offsets } }
}
