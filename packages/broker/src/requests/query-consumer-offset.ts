/**
 * QUERY_CONSUMER_OFFSET: where a group of RocketMQ's clients stands. For a new group RocketMQ has a
 * rule of its own: while the first message of the queue is still in memory it begins there,
 * whatever its client was told; else the client decides.
 */
import { queueOffset } from '@sagalog/kernel'
import { type QueryConsumerOffsetRequest, ResponseCode } from '@sagalog/protocol'
import type { Call } from '../core.js'
import { admitPlace } from '../consumer-place.js'

export function queryConsumerOffset(call: Call, request: QueryConsumerOffsetRequest): void {
  const { log, state } = call.core
  const { consumerGroup: group, queueId, topic } = request
  const problem = admitPlace(call.core, { group, topic, queueId })
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  const end = log.watermark('memory')
  const place = state.places.get(group, topic, queueId)
  const positions = state.queues.find(topic, queueId)?.positions
  const isWhole = positions !== undefined && positions.start === 0 && positions.length > 0
  const isYoung = isWhole && log.peek(positions.at(0)) !== undefined
  if (place !== undefined) call.answer({ offset: place.watermark }, end)
  else if (request.setZeroIfNotFound && isYoung) call.answer({ offset: queueOffset(0) }, end)
  else {
    const remark = 'Not found, V3_0_6_SNAPSHOT maybe this group consumer boot first'
    call.refuse({ code: ResponseCode.QUERY_NOT_FOUND, remark })
  }
}
