/** GET_ROUTEINFO_BY_TOPIC: where a topic's queues are. This broker is its own name server. */
import { AUTO_CREATE_TOPIC_KEY_TOPIC, ResponseCode } from '@sagalog/protocol'
import type { TopicRouteRequest } from '@sagalog/protocol'
import type { Call } from '../core.js'
import type { Settings } from '../options.js'
import type { TopicFact } from '../records/facts.js'

const PERM_READ_WRITE_INHERIT = 7

export function topicRoute(call: Call, request: TopicRouteRequest): void {
  const { log, settings, state } = call.core
  const topic = state.topics.get(request.topic) ?? modelTopic(settings, request.topic)
  if (topic === undefined) {
    const hint = 'Make the topic first, or let sends make it (autoCreateTopics).'
    const remark = `No topic route info in name server for the topic: ${request.topic}\n${hint}`
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

/** The topic whose route a client takes for a topic that its send is going to make. */
function modelTopic(settings: Settings, name: string): TopicFact | undefined {
  if (!settings.autoCreateTopics || name !== AUTO_CREATE_TOPIC_KEY_TOPIC) return undefined
  const queues = settings.topicQueues
  const perm = PERM_READ_WRITE_INHERIT
  return { name, kind: 'message', readQueues: queues, writeQueues: queues, perm }
}
