/**
 * GET_ROUTEINFO_BY_TOPIC (105): where a topic's queues are. Sagalog has one broker, so its routes
 * name one; a cluster's name many. It is RocketMQ's TopicRouteData, so other clients read it too.
 *
 *   request   topic, acceptStandardJsonOnly=true
 *   response  body: {"brokerDatas":[{"brokerAddrs":{"0":"ip:port"},"brokerName":"…",
 *             "cluster":"…"}],"filterServerTable":{},"queueDatas":[{"brokerName":"…",
 *             "perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}
 *
 * A broker without its master (id 0) can be read from another of its addresses, not written to.
 */
import { textField } from '../fields.js'
import {
  jsonBody,
  jsonCount,
  jsonObject,
  type JsonObject,
  jsonObjectOf,
  jsonObjects,
  jsonText,
} from '../json-body.js'
import { ProtocolError } from '../errors.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface TopicRouteRequest {
  readonly topic: string
}

/** The queues that one broker has of a topic. */
export interface BrokerRoute {
  readonly brokerName: string
  /** `host:port`. */
  readonly brokerAddress: string
  readonly readQueues: number
  readonly writeQueues: number
  /** 4 read, 2 write, 1 inherit. */
  readonly perm: number
}

export interface TopicRouteResponse extends BrokerRoute {
  /** The queues on further brokers, where there are any. */
  readonly others?: readonly BrokerRoute[]
}

const CLUSTER = 'DefaultCluster'
const PERM_WRITE = 2

const brokerData = ({ brokerAddress, brokerName }: BrokerRoute): unknown => ({
  brokerAddrs: { '0': brokerAddress },
  brokerName,
  cluster: CLUSTER,
  enableActingMaster: false,
})

const queueData = ({ brokerName, perm, readQueues, writeQueues }: BrokerRoute): unknown => ({
  brokerName,
  perm,
  readQueueNums: readQueues,
  topicSysFlag: 0,
  writeQueueNums: writeQueues,
})

/** The route of the broker, or undefined when it has no address or no queues of the topic. */
function brokerRoute(broker: JsonObject, queueDatas: readonly JsonObject[]) {
  const brokerName = jsonText(broker, 'brokerName')
  const queues = queueDatas.find((candidate) => candidate['brokerName'] === brokerName)
  const addresses = jsonObject(broker, 'brokerAddrs')
  const [lowest] = Object.keys(addresses).toSorted((one, other) => Number(one) - Number(other))
  if (queues === undefined || lowest === undefined) return undefined
  const perm = jsonCount(queues, 'perm')
  return {
    brokerName,
    brokerAddress: jsonText(addresses, lowest),
    readQueues: jsonCount(queues, 'readQueueNums'),
    writeQueues: jsonCount(queues, 'writeQueueNums'),
    perm: lowest === '0' ? perm : perm & ~PERM_WRITE,
  }
}

export const topicRoute: RequestCodec<TopicRouteRequest, TopicRouteResponse> = {
  code: RequestCode.GET_ROUTEINFO_BY_TOPIC,
  name: 'topicRoute',
  encodeRequest(request) {
    const fields = new Map([
      ['topic', request.topic],
      ['acceptStandardJsonOnly', 'true'],
    ])
    return { fields, body: noBody }
  },
  decodeRequest: ({ fields }) => ({ topic: textField(fields, 'topic') }),
  encodeResponse({ others = [], ...first }) {
    const all = [first, ...others]
    const body = jsonBody({
      brokerDatas: all.map(brokerData),
      filterServerTable: {},
      queueDatas: all.map(queueData),
    })
    return { fields: noFields, body }
  },
  decodeResponse({ body }): TopicRouteResponse {
    const route = jsonObjectOf(body)
    const queueDatas = jsonObjects(route, 'queueDatas')
    const brokers = jsonObjects(route, 'brokerDatas').map((row) => brokerRoute(row, queueDatas))
    const [first, ...others] = brokers.filter((found) => found !== undefined)
    if (first === undefined) throw new ProtocolError('FIELD_MISSING', { field: 'brokerDatas' })
    return others.length === 0 ? first : { ...first, others }
  },
}
