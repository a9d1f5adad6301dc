/**
 * INVOKE_BROKER_TO_RESET_OFFSET (222): an operator moves a group of RocketMQ's clients to a time or
 * an offset, whether its consumers are online or not. Each next pull is told the new offset.
 *
 *   request   topic, group, timestamp (ms; negative: the end), isForce, queueId? (-1: all),
 *             offset? (-1: by timestamp)
 *   response  body: {"offsetTable":{"{\"brokerName\":…,\"queueId\":…,\"topic\":…}":5}}
 */
import type { QueueOffset } from '@sagalog/kernel'
import { queueOffset } from '@sagalog/kernel'
import { flagField, int32Field, longField, textField } from '../fields.js'
import { jsonBody, jsonCount, jsonObject, looseJsonObjectOf } from '../json-body.js'
import { queuesInTable, queueTable } from '../queue-table.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import type { QueueName } from './lock-queues.js'

export interface ResetOffsetRequest {
  readonly topic: string
  readonly group: string
  /** Negative: the end of each queue. */
  readonly timestampMs: number
  readonly isForced: boolean
  /** -1: all queues of the topic. */
  readonly queueId: number
  /** -1: by the timestamp. */
  readonly offset: number
}

export interface ResetOffsetResponse {
  readonly offsets: readonly (QueueName & { readonly offset: QueueOffset })[]
}

export const resetOffset: RequestCodec<ResetOffsetRequest, ResetOffsetResponse> = {
  code: RequestCode.INVOKE_BROKER_TO_RESET_OFFSET,
  name: 'resetOffset',
  encodeRequest: ({ group, isForced, offset, queueId, timestampMs, topic }) => ({
    fields: new Map([
      ['topic', topic],
      ['group', group],
      ['timestamp', String(timestampMs)],
      ['isForce', String(isForced)],
      ['queueId', String(queueId)],
      ['offset', String(offset)],
    ]),
    body: noBody,
  }),
  decodeRequest: ({ fields }) => ({
    topic: textField(fields, 'topic'),
    group: textField(fields, 'group'),
    timestampMs: longField(fields, 'timestamp'),
    isForced: flagField(fields, 'isForce'),
    queueId: fields.has('queueId') ? int32Field(fields, 'queueId') : -1,
    offset: fields.has('offset') ? longField(fields, 'offset') : -1,
  }),
  encodeResponse: ({ offsets }) => ({
    fields: noFields,
    body: jsonBody({ offsetTable: queueTable(offsets, ({ offset }) => offset) }),
  }),
  decodeResponse({ body }) {
    const table = jsonObject(looseJsonObjectOf(body), 'offsetTable')
    const offsets = queuesInTable(table).map(({ key, ...queue }) => ({
      ...queue,
      offset: queueOffset(jsonCount(table, key)),
    }))
    return { offsets }
  },
}
