/** BROKER_STATUS: what is open and how far everybody is, in one answer. */
import { queueOffset } from '@sagalog/kernel'
import type { BrokerStatusResponse, Nothing } from '@sagalog/protocol'
import type { Call, Core } from '../core.js'

export function brokerStatus(call: Call, _request: Nothing): void {
  call.answer(statusOf(call.core), call.core.log.watermark('memory'))
}

export function statusOf(core: Core): BrokerStatusResponse {
  const { log, outbox, state } = core
  let halvesParked = 0
  let halvesOpen = 0
  for (const half of state.halves.all()) {
    if (half.isParked) halvesParked += 1
    else halvesOpen += 1
  }
  const queues = [...state.places.all()].map((place) => ({
    group: place.group,
    topic: place.topic,
    queueId: place.queueId,
    watermark: place.watermark,
    settledAbove: place.settled.size,
    maxOffset: queueOffset(state.queues.nextOffset(place.topic, place.queueId)),
  }))
  const { writes, syncs, bytes, records } = log.stats
  return {
    halvesOpen,
    halvesParked,
    timersOpen: state.timers.count,
    earlyReplies: outbox.earlyReplies,
    queues,
    log: {
      sequenced: log.watermark('memory'),
      durable: log.watermark('sync'),
      writes,
      syncs,
      bytes,
      records,
    },
  }
}
