/**
 * QUERY_CONSUMER_OFFSET (14): where a group of RocketMQ's clients stands in a queue.
 *
 *   request   consumerGroup, topic, queueId, setZeroIfNotFound?
 *   response  offset
 *
 * QUERY_NOT_FOUND when the group has no place there: the client then begins where it was told to.
 */
import type { QueueOffset } from '@sagalog/kernel'
import { count32Field, flagField, queueOffsetField, textField } from '../fields.js'
import { noBody, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface QueryConsumerOffsetRequest {
  readonly consumerGroup: string
  readonly topic: string
  readonly queueId: number
  readonly setZeroIfNotFound: boolean
}

export interface OffsetResponse {
  readonly offset: QueueOffset
}

export const queryConsumerOffset: RequestCodec<QueryConsumerOffsetRequest, OffsetResponse> = {
  code: RequestCode.QUERY_CONSUMER_OFFSET,
  name: 'queryConsumerOffset',
  encodeRequest: ({ consumerGroup, queueId, setZeroIfNotFound, topic }) => ({
    fields: new Map([
      ['consumerGroup', consumerGroup],
      ['topic', topic],
      ['queueId', String(queueId)],
      ['setZeroIfNotFound', String(setZeroIfNotFound)],
    ]),
    body: noBody,
  }),
  decodeRequest: ({ fields }) => ({
    consumerGroup: textField(fields, 'consumerGroup'),
    topic: textField(fields, 'topic'),
    queueId: count32Field(fields, 'queueId'),
    // Absent is true, other than for most flags: clients before 4.9 do not say.
    setZeroIfNotFound: !fields.has('setZeroIfNotFound') || flagField(fields, 'setZeroIfNotFound'),
  }),
  encodeResponse: ({ offset }) => ({ fields: new Map([['offset', String(offset)]]), body: noBody }),
  decodeResponse: ({ fields }) => ({ offset: queueOffsetField(fields, 'offset') }),
}
