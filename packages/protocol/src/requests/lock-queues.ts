/**
 * LOCK_BATCH_MQ (41): an orderly consumer of RocketMQ takes queues for itself, for 60 s at a time.
 *
 *   request   body: {"clientId":"…","consumerGroup":"…",
 *             "mqSet":[{"brokerName":"…","queueId":0,"topic":"…"}],"onlyThisBroker":false}
 *   response  body: {"lockOKMQSet":[…]}: those of them that the client holds now
 */
import {
  jsonBody,
  jsonCount32,
  type JsonObject,
  jsonObjectOf,
  jsonObjects,
  jsonText,
} from '../json-body.js'
import { noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface QueueName {
  readonly topic: string
  readonly brokerName: string
  readonly queueId: number
}

/** The body of LOCK_BATCH_MQ and UNLOCK_BATCH_MQ. */
export interface QueuesOfClient {
  readonly clientId: string
  readonly consumerGroup: string
  readonly queues: readonly QueueName[]
}

export interface LockQueuesResponse {
  readonly locked: readonly QueueName[]
}

const written = ({ brokerName, queueId, topic }: QueueName): QueueName => ({
  brokerName,
  queueId,
  topic,
})

const queuesIn = (object: JsonObject, field: string): readonly QueueName[] =>
  jsonObjects(object, field).map((row) => ({
    topic: jsonText(row, 'topic'),
    brokerName: jsonText(row, 'brokerName'),
    queueId: jsonCount32(row, 'queueId'),
  }))

export function queuesOfClientBody({ clientId, consumerGroup, queues }: QueuesOfClient): Buffer {
  return jsonBody({ clientId, consumerGroup, mqSet: queues.map(written), onlyThisBroker: false })
}

export function queuesOfClient(body: Buffer): QueuesOfClient {
  const object = jsonObjectOf(body)
  return {
    clientId: jsonText(object, 'clientId'),
    consumerGroup: jsonText(object, 'consumerGroup'),
    queues: queuesIn(object, 'mqSet'),
  }
}

export const lockQueues: RequestCodec<QueuesOfClient, LockQueuesResponse> = {
  code: RequestCode.LOCK_BATCH_MQ,
  name: 'lockQueues',
  encodeRequest: (request) => ({ fields: noFields, body: queuesOfClientBody(request) }),
  decodeRequest: ({ body }) => queuesOfClient(body),
  encodeResponse: ({ locked }) => ({
    fields: noFields,
    body: jsonBody({ lockOKMQSet: locked.map(written) }),
  }),
  decodeResponse: ({ body }) => ({ locked: queuesIn(jsonObjectOf(body), 'lockOKMQSet') }),
}
