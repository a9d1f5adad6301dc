/**
 * GET_MIN_OFFSET (31): the offset of the oldest message that a queue still has.
 *
 *   request   topic, queueId
 *   response  offset; 0 for a queue that does not exist
 */
import { count32Field, queueOffsetField, textField } from '../fields.js'
import { noBody, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import type { OffsetResponse } from './query-consumer-offset.js'

export interface MinOffsetRequest {
  readonly topic: string
  readonly queueId: number
}

export const minOffset: RequestCodec<MinOffsetRequest, OffsetResponse> = {
  code: RequestCode.GET_MIN_OFFSET,
  name: 'minOffset',
  encodeRequest: ({ queueId, topic }) => ({
    fields: new Map([
      ['topic', topic],
      ['queueId', String(queueId)],
    ]),
    body: noBody,
  }),
  decodeRequest: ({ fields }) => ({
    topic: textField(fields, 'topic'),
    queueId: count32Field(fields, 'queueId'),
  }),
  encodeResponse: ({ offset }) => ({ fields: new Map([['offset', String(offset)]]), body: noBody }),
  decodeResponse: ({ fields }) => ({ offset: queueOffsetField(fields, 'offset') }),
}
