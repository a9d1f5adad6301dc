/** LOCK_BATCH_MQ: which of the named queues a client of RocketMQ has to itself now. */
import type { QueuesOfClient } from '@sagalog/protocol'
import type { Call } from '../core.js'
import { admitPlace } from '../consumer-place.js'

export function lockQueues(call: Call, request: QueuesOfClient): void {
  const { clock, locks, log, settings } = call.core
  const nowMs = clock.monotonicMs()
  const locked = request.queues.filter(({ brokerName, queueId, topic }) => {
    const queue = { group: request.consumerGroup, topic, queueId }
    // Never a refusal: a queue that is not here is not locked.
    if (brokerName !== settings.name || admitPlace(call.core, queue) !== undefined) return false
    return locks.lock(queue, request.clientId, nowMs)
  })
  call.answer({ locked }, log.watermark('memory'))
}
