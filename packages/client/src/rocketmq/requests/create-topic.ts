/** Makes a topic on every broker that does not have it yet, with so many queues on each. */
import { sleep } from '@sagalog/kernel'
import {
  clusterInfo,
  createTopic as createTopicRequest,
  type CreateTopicRequest,
  type Nothing,
  nothing,
  ResponseCode,
} from '@sagalog/protocol'
import { rejectedBy, type Reply } from '../../connection.js'
import { ClientError } from '../../errors.js'
import { askBroker, type Cluster, timeLeft } from '../cluster.js'
import { unsupported } from '../refusals.js'

/** Between two looks whether the name server has heard of the topic. */
const REGISTERED_EVERY_MS = 50

export async function createTopic(
  cluster: Cluster,
  request: CreateTopicRequest,
  deadlineMs: number,
): Promise<Reply<Nothing>> {
  if (request.kind === 'event') throw unsupported('a topic of events')
  const { topic } = request
  const found = await cluster.names.request(clusterInfo, nothing, timeLeft(cluster, deadlineMs))
  if (found.payload === undefined) throw rejectedBy(clusterInfo.name, found)
  if (found.payload.brokers.length === 0) {
    const reason = 'no broker has told the name server of itself'
    throw new ClientError('NO_ROUTE', { topic, reason })
  }
  const route = await cluster.routes.refresh(topic)
  const [model] = route?.brokers ?? []
  const queues = model ?? request
  const payload = { ...request, readQueues: queues.readQueues, writeQueues: queues.writeQueues }
  const owners = new Set(route?.brokers.map(({ brokerName }) => brokerName))
  const without = found.payload.brokers.filter(({ brokerName }) => !owners.has(brokerName))
  for (const { brokerAddress } of without) {
    const question = { codec: createTopicRequest, payload, deadlineMs }
    const reply = await askBroker(cluster, brokerAddress, question)
    if (reply.code !== ResponseCode.SUCCESS) return reply
  }
  await registered(cluster, topic, { brokers: owners.size + without.length, deadlineMs })
  return { code: ResponseCode.SUCCESS, payload: nothing }
}

/** Brokers tell the name servers a moment later; whoever awaits a new topic wants to use it. */
async function registered(
  cluster: Cluster,
  topic: string,
  { brokers, deadlineMs }: { readonly brokers: number; readonly deadlineMs: number },
): Promise<void> {
  const { clock } = cluster.ports
  for (;;) {
    const route = await cluster.routes.refresh(topic)
    const isThere = route !== undefined && route.brokers.length >= brokers
    if (isThere || clock.monotonicMs() + REGISTERED_EVERY_MS > deadlineMs) return
    await sleep(clock, REGISTERED_EVERY_MS)
  }
}
