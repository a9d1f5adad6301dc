/**
 * SEARCH_OFFSET_BY_TIMESTAMP (29): the first message of a queue that was stored at a time or later.
 *
 *   request   topic, queueId, timestamp (ms), boundaryType? (LOWER or UPPER)
 *   response  offset; that of the next message when all are older
 *
 * UPPER asks for the last one not later, where several were stored in the same millisecond.
 */
import { count32Field, countField, queueOffsetField, textField } from '../fields.js'
import { noBody, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import type { OffsetResponse } from './query-consumer-offset.js'

export interface SearchOffsetRequest {
  readonly topic: string
  readonly queueId: number
  readonly timestampMs: number
  readonly boundary: 'lower' | 'upper'
}

export const searchOffset: RequestCodec<SearchOffsetRequest, OffsetResponse> = {
  code: RequestCode.SEARCH_OFFSET_BY_TIMESTAMP,
  name: 'searchOffset',
  encodeRequest: ({ boundary, queueId, timestampMs, topic }) => ({
    fields: new Map([
      ['topic', topic],
      ['queueId', String(queueId)],
      ['timestamp', String(timestampMs)],
      ['boundaryType', boundary.toUpperCase()],
    ]),
    body: noBody,
  }),
  decodeRequest: ({ fields }) => ({
    topic: textField(fields, 'topic'),
    queueId: count32Field(fields, 'queueId'),
    timestampMs: countField(fields, 'timestamp'),
    boundary: fields.get('boundaryType')?.toLowerCase() === 'upper' ? 'upper' : 'lower',
  }),
  encodeResponse: ({ offset }) => ({ fields: new Map([['offset', String(offset)]]), body: noBody }),
  decodeResponse: ({ fields }) => ({ offset: queueOffsetField(fields, 'offset') }),
}
