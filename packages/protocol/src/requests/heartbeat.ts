/**
 * HEART_BEAT (34): who this client is. Sent on connecting and then every 30 s; it lets the broker
 * find a producer for a check-back.
 *
 *   request   body: {"clientID":"…","producerDataSet":[{"groupName":"…"}],"consumerDataSet":
 *             [{"groupName":"…","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING",
 *             "consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","unitMode":false,
 *             "subscriptionDataSet":[{"topic":"…","subString":"*",…}]}]}
 *   response  nothing
 */
import { jsonBody, jsonObjectOf, jsonObjects, jsonText } from '../json-body.js'
import { encodedNothing, noFields, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface HeartbeatConsumer {
  readonly group: string
  readonly topics: readonly string[]
}

export interface HeartbeatRequest {
  readonly clientId: string
  readonly producerGroups: readonly string[]
  readonly consumers: readonly HeartbeatConsumer[]
}

const subscriptionTo = (topic: string): unknown => ({
  classFilterMode: false,
  codeSet: [],
  expressionType: 'TAG',
  subString: '*',
  subVersion: 0,
  tagsSet: [],
  topic,
})

const consumerData = (consumer: HeartbeatConsumer): unknown => ({
  consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
  consumeType: 'CONSUME_PASSIVELY',
  groupName: consumer.group,
  messageModel: 'CLUSTERING',
  subscriptionDataSet: consumer.topics.map(subscriptionTo),
  unitMode: false,
})

export const heartbeat: RequestCodec<HeartbeatRequest, Nothing> = {
  code: RequestCode.HEART_BEAT,
  name: 'heartbeat',
  encodeRequest(request) {
    const body = jsonBody({
      clientID: request.clientId,
      consumerDataSet: request.consumers.map(consumerData),
      heartbeatFingerprint: 0,
      producerDataSet: request.producerGroups.map((groupName) => ({ groupName })),
      withoutSub: false,
    })
    return { fields: noFields, body }
  },
  decodeRequest({ body }): HeartbeatRequest {
    const data = jsonObjectOf(body)
    return {
      clientId: jsonText(data, 'clientID'),
      producerGroups: jsonObjects(data, 'producerDataSet').map((row) => jsonText(row, 'groupName')),
      consumers: jsonObjects(data, 'consumerDataSet').map((row) => ({
        group: jsonText(row, 'groupName'),
        topics: jsonObjects(row, 'subscriptionDataSet').map((item) => jsonText(item, 'topic')),
      })),
    }
  },
  encodeResponse: () => encodedNothing,
  decodeResponse: () => nothing,
}
