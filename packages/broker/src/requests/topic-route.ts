/** GET_ROUTEINFO_BY_TOPIC: where a topic's queues are. This broker is its own name server. */
import { ResponseCode, type TopicRouteRequest } from '@sagalog/protocol'
import type { Call } from '../core.js'

export function topicRoute(call: Call, request: TopicRouteRequest): void {
  const { log, settings, state } = call.core
  const topic = state.topics.get(request.topic)
  if (topic === undefined) {
    const remark = `No topic route info in name server for the topic: ${request.topic}`
    call.refuse({ code: ResponseCode.TOPIC_NOT_EXIST, remark })
    return
  }
  const route = {
    brokerName: settings.name,
    brokerAddress: `${settings.host}:${settings.port}`,
    readQueues: topic.readQueues,
    writeQueues: topic.writeQueues,
    perm: topic.perm,
  }
  call.answer(route, log.watermark('memory'))
}
