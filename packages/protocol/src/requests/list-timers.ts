/**
 * SAGALOG_LIST_TIMERS (20024): the messages that wait for their time, the next first, in pages.
 *
 *   request   topic (empty for all), afterDueAtMs and afterPosition (of the last one seen; 0 at
 *             first), maxTimers
 *   response  body: {"timers":[{"name":"…","topic":"…","dueAtMs":1,"position":104}],
 *             "hasMore":false} (no name for a message that its sender delayed)
 */
import { type Position, position } from '@sagalog/kernel'
import { count32Field, countField, textField } from '../fields.js'
import {
  jsonBody,
  jsonCount,
  jsonFlag,
  type JsonObject,
  jsonObjectOf,
  jsonObjects,
  jsonText,
} from '../json-body.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface ListTimersRequest {
  /** Only those whose messages go there; empty for all. */
  readonly topic: string
  /** Only those that are due later, or at that time and stand behind `afterPosition`. */
  readonly afterDueAtMs: number
  readonly afterPosition: Position
  readonly maxTimers: number
}

export interface TimerSummary {
  /** By which a transaction can cancel it; a message that its sender delayed has none. */
  readonly name?: string
  /** Where its message goes; empty for one that an earlier version set. */
  readonly topic: string
  /** By the broker's wall clock. */
  readonly dueAtMs: number
  /** Where it stands in the broker's log. */
  readonly position: Position
}

export interface ListTimersResponse {
  readonly timers: readonly TimerSummary[]
  /** True when there are more behind the last one. */
  readonly hasMore: boolean
}

function timerOf(row: JsonObject): TimerSummary {
  return {
    ...(Object.hasOwn(row, 'name') ? { name: jsonText(row, 'name') } : {}),
    topic: jsonText(row, 'topic'),
    dueAtMs: jsonCount(row, 'dueAtMs'),
    position: position(jsonCount(row, 'position')),
  }
}

export const listTimers: RequestCodec<ListTimersRequest, ListTimersResponse> = {
  code: RequestCode.SAGALOG_LIST_TIMERS,
  name: 'listTimers',
  encodeRequest({ afterDueAtMs, afterPosition, maxTimers, topic }) {
    const fields = new Map([
      ['topic', topic],
      ['afterDueAtMs', String(afterDueAtMs)],
      ['afterPosition', String(afterPosition)],
      ['maxTimers', String(maxTimers)],
    ])
    return { fields, body: noBody }
  },
  decodeRequest: ({ fields }) => ({
    topic: textField(fields, 'topic'),
    afterDueAtMs: countField(fields, 'afterDueAtMs'),
    afterPosition: position(countField(fields, 'afterPosition')),
    maxTimers: count32Field(fields, 'maxTimers'),
  }),
  encodeResponse: ({ hasMore, timers }) => ({
    fields: noFields,
    body: jsonBody({ timers, hasMore }),
  }),
  decodeResponse({ body }) {
    const answer = jsonObjectOf(body)
    return {
      timers: jsonObjects(answer, 'timers').map(timerOf),
      hasMore: jsonFlag(answer, 'hasMore'),
    }
  },
}
