/**
 * HEART_BEAT (34): who this client is. Sent on connecting and then every 30 s; it lets the broker
 * find a producer for a check-back, and the members of a group of RocketMQ's consumers. Our own
 * consumers join their group by LEASE_QUEUES and name no consumers here.
 *
 *   request   body: {"clientID":"…","producerDataSet":[{"groupName":"…"}],"consumerDataSet":
 *             [{"groupName":"…","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING",
 *             "consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","unitMode":false,
 *             "subscriptionDataSet":[{"topic":"…","subString":"*",…}]}]}
 *   response  nothing
 */
import { javaHash } from '../java-hash.js'
import { jsonBody, jsonLong, type JsonObject, jsonObjectOf } from '../json-body.js'
import { jsonObjects, jsonText } from '../json-body.js'
import { encodedNothing, noFields, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { tagsOf } from '../tags.js'

export interface Subscription {
  readonly topic: string
  /** `*`, or tags separated by `||`; an SQL expression for the type SQL92. */
  readonly expression: string
  /** TAG or SQL92. */
  readonly expressionType: string
  /** Milliseconds: when the client made it. */
  readonly version: number
}

export interface HeartbeatConsumer {
  readonly group: string
  readonly mode: 'clustering' | 'broadcasting'
  readonly subscriptions: readonly Subscription[]
  /** Its caller asks for messages: RocketMQ's CONSUME_ACTIVELY. */
  readonly isPolled?: boolean
}

export interface HeartbeatRequest {
  readonly clientId: string
  readonly producerGroups: readonly string[]
  readonly consumers: readonly HeartbeatConsumer[]
}

/** As Java writes it. */
export function subscriptionData({
  expression,
  expressionType,
  topic,
  version,
}: Subscription): unknown {
  const tags = expressionType === 'TAG' ? tagsOf(expression) : []
  return {
    classFilterMode: false,
    codeSet: tags.map(javaHash),
    expressionType,
    subString: expression,
    subVersion: version,
    tagsSet: tags,
    topic,
  }
}

const consumerData = ({ group, isPolled, mode, subscriptions }: HeartbeatConsumer): unknown => ({
  consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
  consumeType: isPolled === true ? 'CONSUME_ACTIVELY' : 'CONSUME_PASSIVELY',
  groupName: group,
  messageModel: mode === 'clustering' ? 'CLUSTERING' : 'BROADCASTING',
  subscriptionDataSet: subscriptions.map(subscriptionData),
  unitMode: false,
})

export const subscriptionsIn = (rows: readonly JsonObject[]): Subscription[] =>
  rows.map((item) => ({
    topic: jsonText(item, 'topic'),
    expression: jsonText(item, 'subString'),
    expressionType: jsonText(item, 'expressionType'),
    version: jsonLong(item, 'subVersion'),
  }))

const consumerOf = (row: JsonObject): HeartbeatConsumer => ({
  group: jsonText(row, 'groupName'),
  mode: jsonText(row, 'messageModel') === 'BROADCASTING' ? 'broadcasting' : 'clustering',
  subscriptions: subscriptionsIn(jsonObjects(row, 'subscriptionDataSet')),
  ...(row['consumeType'] === 'CONSUME_ACTIVELY' ? { isPolled: true } : {}),
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
      consumers: jsonObjects(data, 'consumerDataSet').map(consumerOf),
    }
  },
  encodeResponse: () => encodedNothing,
  decodeResponse: () => nothing,
}
