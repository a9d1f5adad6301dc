/**
 * RESET_CONSUMER_CLIENT_OFFSET (220), broker to client, one-way: an operator moved a group, and the
 * consumers are to do it. A broker of RocketMQ sends it where it does not move groups itself.
 *
 *   request   topic, group
 *             body: {"offsetTable":{{"brokerName":"…","queueId":0,"topic":"…"}:5}}
 */
import type { QueueOffset } from '@sagalog/kernel'
import { queueOffset } from '@sagalog/kernel'
import { textField } from '../fields.js'
import { jsonBody, jsonCount, jsonObject, looseJsonObjectOf } from '../json-body.js'
import { queuesInTable, queueTable } from '../queue-table.js'
import { encodedNothing, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import type { QueueName } from './lock-queues.js'

export interface ResetClientOffsetRequest {
  readonly topic: string
  readonly group: string
  readonly offsets: readonly (QueueName & { readonly offset: QueueOffset })[]
}

export const resetClientOffset: RequestCodec<ResetClientOffsetRequest, Nothing> = {
  code: RequestCode.RESET_CONSUMER_CLIENT_OFFSET,
  name: 'resetClientOffset',
  encodeRequest: ({ group, offsets, topic }) => ({
    fields: new Map([
      ['topic', topic],
      ['group', group],
    ]),
    body: jsonBody({ offsetTable: queueTable(offsets, ({ offset }) => offset) }),
  }),
  decodeRequest({ body, fields }) {
    const table = jsonObject(looseJsonObjectOf(body), 'offsetTable')
    return {
      topic: textField(fields, 'topic'),
      group: textField(fields, 'group'),
      offsets: queuesInTable(table).map(({ key, ...queue }) => ({
        ...queue,
        offset: queueOffset(jsonCount(table, key)),
      })),
    }
  },
  encodeResponse: () => encodedNothing,
  decodeResponse: () => nothing,
}
