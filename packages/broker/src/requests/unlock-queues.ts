/** UNLOCK_BATCH_MQ: a client of RocketMQ gives orderly queues back. */
import { nothing, type QueuesOfClient } from '@sagalog/protocol'
import type { Call } from '../core.js'

export function unlockQueues(call: Call, request: QueuesOfClient): void {
  const { locks, log } = call.core
  for (const { queueId, topic } of request.queues)
    locks.unlock({ group: request.consumerGroup, topic, queueId }, request.clientId)
  call.answer(nothing, log.watermark('memory'))
}
