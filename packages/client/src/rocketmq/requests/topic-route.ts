/** A topic's queues on all brokers of the cluster, as if one broker had them. */
import { ResponseCode, type TopicRouteRequest, type TopicRouteResponse } from '@sagalog/protocol'
import type { Reply } from '../../connection.js'
import type { Cluster } from '../cluster.js'
import type { ClusterRoute } from '../route-table.js'

export async function topicRoute(
  cluster: Cluster,
  { topic }: TopicRouteRequest,
): Promise<Reply<TopicRouteResponse>> {
  const route = await cluster.routes.refreshed(topic)
  await meet(cluster, route)
  const [first] = route?.brokers ?? []
  if (route === undefined || first === undefined) {
    const remark = 'the name server does not know it'
    return { code: ResponseCode.TOPIC_NOT_EXIST, remark, payload: undefined }
  }
  const { brokerAddress, brokerName, perm } = first
  const readQueues = 1 + Math.max(-1, ...route.readable)
  const writeQueues = route.writable.length
  const payload = { brokerName, brokerAddress, perm, readQueues, writeQueues }
  return { code: ResponseCode.SUCCESS, payload }
}

/** Waits for the brokers once, so that what is sent without asking for a reply is not lost. */
async function meet(cluster: Cluster, route: ClusterRoute | undefined): Promise<void> {
  const { brokers, presence, routes } = cluster
  const found = route?.brokers ?? (await routes.willingToCreate())
  brokers.retain(routes.addresses)
  const away = found
    .map(({ brokerAddress }) => brokers.at(brokerAddress))
    .filter((broker) => !broker.isUp)
  await Promise.all(away.map((broker) => presence.tell(broker)))
}
