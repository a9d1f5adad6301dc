/**
 * GET_CONSUMER_RUNNING_INFO (307), broker to client, for an operator: what a consumer is doing.
 *
 *   request   consumerGroup, clientId, jstackEnable?
 *   response  body: {"mqPopTable":{},"mqTable":{{"brokerName":"…","queueId":0,"topic":"…"}:
 *             {"commitOffset":5,…}},"properties":{"PROP_CONSUME_TYPE":"…",…},"statusTable":{},
 *             "subscriptionSet":[…],"userConsumerInfo":{}}
 */
import type { QueueOffset } from '@sagalog/kernel'
import { queueOffset } from '@sagalog/kernel'
import { textField } from '../fields.js'
import { jsonBody, jsonCount, jsonFlag, jsonObject, jsonObjects } from '../json-body.js'
import { jsonText, looseJsonObjectOf } from '../json-body.js'
import { queuesInTable, queueTable } from '../queue-table.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { type Subscription, subscriptionData, subscriptionsIn } from './heartbeat.js'
import type { QueueName } from './lock-queues.js'

export interface RunningInfoRequest {
  readonly consumerGroup: string
  readonly clientId: string
}

export interface RunningQueue extends QueueName {
  /** The first offset that is not settled. */
  readonly commitOffset: QueueOffset
  /** Messages that are fetched and not settled. */
  readonly cachedMessages: number
  /** True while it holds the queue's lock. */
  readonly isLocked: boolean
  /** True once the queue is to be somebody else's. */
  readonly isDropped: boolean
}

export interface RunningInfoResponse {
  /** RocketMQ's names, such as PROP_CONSUME_TYPE. */
  readonly properties: Readonly<Record<string, string>>
  readonly subscriptions: readonly Subscription[]
  readonly queues: readonly RunningQueue[]
}

const writtenQueue = ({ cachedMessages, commitOffset, isDropped, isLocked }: RunningQueue) => ({
  cachedMsgCount: cachedMessages,
  cachedMsgMaxOffset: 0,
  cachedMsgMinOffset: 0,
  cachedMsgSizeInMiB: 0,
  commitOffset,
  droped: isDropped,
  lastConsumeTimestamp: 0,
  lastLockTimestamp: 0,
  lastPullTimestamp: 0,
  locked: isLocked,
  transactionMsgCount: 0,
  transactionMsgMaxOffset: 0,
  transactionMsgMinOffset: 0,
  tryUnlockTimes: 0,
})

export const runningInfo: RequestCodec<RunningInfoRequest, RunningInfoResponse> = {
  code: RequestCode.GET_CONSUMER_RUNNING_INFO,
  name: 'runningInfo',
  encodeRequest: ({ clientId, consumerGroup }) => ({
    fields: new Map([
      ['consumerGroup', consumerGroup],
      ['clientId', clientId],
      ['jstackEnable', 'false'],
    ]),
    body: noBody,
  }),
  decodeRequest: ({ fields }) => ({
    consumerGroup: textField(fields, 'consumerGroup'),
    clientId: textField(fields, 'clientId'),
  }),
  encodeResponse: ({ properties, queues, subscriptions }) => ({
    fields: noFields,
    body: jsonBody({
      mqPopTable: {},
      mqTable: queueTable(queues, writtenQueue),
      properties,
      statusTable: {},
      subscriptionSet: subscriptions.map(subscriptionData),
      userConsumerInfo: {},
    }),
  }),
  decodeResponse({ body }) {
    const info = looseJsonObjectOf(body)
    const table = jsonObject(info, 'mqTable')
    const given = jsonObject(info, 'properties')
    const properties = Object.keys(given).map((name) => [name, jsonText(given, name)] as const)
    return {
      properties: Object.fromEntries(properties),
      subscriptions: subscriptionsIn(jsonObjects(info, 'subscriptionSet')),
      queues: queuesInTable(table).map(({ key, ...queue }) => {
        const row = jsonObject(table, key)
        return {
          ...queue,
          commitOffset: queueOffset(jsonCount(row, 'commitOffset')),
          cachedMessages: jsonCount(row, 'cachedMsgCount'),
          isLocked: jsonFlag(row, 'locked'),
          isDropped: jsonFlag(row, 'droped'),
        }
      }),
    }
  },
}
