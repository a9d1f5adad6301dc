/**
 * GET_ROUTEINFO_BY_TOPIC (105): where a topic's queues are. Sagalog has one broker, so the route
 * names one; it is RocketMQ's TopicRouteData, so that other clients read it too.
 *
 *   request   topic, acceptStandardJsonOnly=true
 *   response  body: {"brokerDatas":[{"brokerAddrs":{"0":"ip:port"},"brokerName":"…",
 *             "cluster":"…"}],"filterServerTable":{},"queueDatas":[{"brokerName":"…",
 *             "perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}]}
 */
import { textField } from '../fields.js'
import {
  jsonBody,
  jsonCount,
  jsonObject,
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

export interface TopicRouteResponse {
  readonly brokerName: string
  /** `host:port`. */
  readonly brokerAddress: string
  readonly readQueues: number
  readonly writeQueues: number
  /** 4 read, 2 write, 1 inherit. */
  readonly perm: number
}

const CLUSTER = 'DefaultCluster'

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
  encodeResponse(response) {
    const { brokerName, brokerAddress, perm, readQueues, writeQueues } = response
    const body = jsonBody({
      brokerDatas: [
        {
          brokerAddrs: { '0': brokerAddress },
          brokerName,
          cluster: CLUSTER,
          enableActingMaster: false,
        },
      ],
      filterServerTable: {},
      queueDatas: [
        {
          brokerName,
          perm,
          readQueueNums: readQueues,
          topicSysFlag: 0,
          writeQueueNums: writeQueues,
        },
      ],
    })
    return { fields: noFields, body }
  },
  decodeResponse({ body }): TopicRouteResponse {
    const route = jsonObjectOf(body)
    const [broker] = jsonObjects(route, 'brokerDatas')
    if (broker === undefined) throw new ProtocolError('FIELD_MISSING', { field: 'brokerDatas' })
    const brokerName = jsonText(broker, 'brokerName')
    const queues = jsonObjects(route, 'queueDatas').find(
      (candidate) => candidate['brokerName'] === brokerName,
    )
    if (queues === undefined) throw new ProtocolError('FIELD_MISSING', { field: 'queueDatas' })
    return {
      brokerName,
      brokerAddress: jsonText(jsonObject(broker, 'brokerAddrs'), '0'),
      readQueues: jsonCount(queues, 'readQueueNums'),
      writeQueues: jsonCount(queues, 'writeQueueNums'),
      perm: jsonCount(queues, 'perm'),
    }
  },
}
