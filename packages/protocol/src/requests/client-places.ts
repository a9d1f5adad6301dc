/**
 * GET_CONSUMER_STATUS_FROM_CLIENT (221), broker to client: where a consumer stands in each queue
 * that it holds of a topic.
 *
 *   request   topic, group
 *   response  body: {"consumerTable":{},"messageQueueTable":
 *             {{"brokerName":"…","queueId":0,"topic":"…"}:5}}
 */
import type { QueueOffset } from '@sagalog/kernel'
import { queueOffset } from '@sagalog/kernel'
import { textField } from '../fields.js'
import { jsonBody, jsonCount, jsonObject, looseJsonObjectOf } from '../json-body.js'
import { queuesInTable, queueTable } from '../queue-table.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import type { QueueName } from './lock-queues.js'

export interface ClientPlacesRequest {
  readonly topic: string
  readonly group: string
}

export interface ClientPlacesResponse {
  readonly offsets: readonly (QueueName & { readonly offset: QueueOffset })[]
}

export const clientPlaces: RequestCodec<ClientPlacesRequest, ClientPlacesResponse> = {
  code: RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT,
  name: 'clientPlaces',
  encodeRequest: ({ group, topic }) => ({
    fields: new Map([
      ['topic', topic],
      ['group', group],
    ]),
    body: noBody,
  }),
  decodeRequest: ({ fields }) => ({
    topic: textField(fields, 'topic'),
    group: textField(fields, 'group'),
  }),
  encodeResponse({ offsets }) {
    const messageQueueTable = queueTable(offsets, ({ offset }) => offset)
    return { fields: noFields, body: jsonBody({ consumerTable: {}, messageQueueTable }) }
  },
  decodeResponse({ body }) {
    const table = jsonObject(looseJsonObjectOf(body), 'messageQueueTable')
    const offsets = queuesInTable(table).map(({ key, ...queue }) => ({
      ...queue,
      offset: queueOffset(jsonCount(table, key)),
    }))
    return { offsets }
  },
}
