/**
 * UPDATE_CONSUMER_OFFSET (15): a client of RocketMQ says where its group stands in a queue; the
 * value overwrites the one before, also when it is lower. Java sends it one-way.
 *
 *   request   consumerGroup, topic, queueId, commitOffset
 *   response  nothing
 */
import type { QueueOffset } from '@sagalog/kernel'
import { count32Field, queueOffsetField, textField } from '../fields.js'
import { encodedNothing, noBody, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface UpdateConsumerOffsetRequest {
  readonly consumerGroup: string
  readonly topic: string
  readonly queueId: number
  /** The next offset to consume. */
  readonly commitOffset: QueueOffset
}

export const updateConsumerOffset: RequestCodec<UpdateConsumerOffsetRequest, Nothing> = {
  code: RequestCode.UPDATE_CONSUMER_OFFSET,
  name: 'updateConsumerOffset',
  encodeRequest: ({ commitOffset, consumerGroup, queueId, topic }) => ({
    fields: new Map([
      ['consumerGroup', consumerGroup],
      ['topic', topic],
      ['queueId', String(queueId)],
      ['commitOffset', String(commitOffset)],
    ]),
    body: noBody,
  }),
  decodeRequest: ({ fields }) => ({
    consumerGroup: textField(fields, 'consumerGroup'),
    topic: textField(fields, 'topic'),
    queueId: count32Field(fields, 'queueId'),
    commitOffset: queueOffsetField(fields, 'commitOffset'),
  }),
  encodeResponse: () => encodedNothing,
  decodeResponse: () => nothing,
}
