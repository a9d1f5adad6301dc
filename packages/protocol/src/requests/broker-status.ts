/**
 * SAGALOG_BROKER_STATUS (20004): counters for people and tests.
 *
 *   request   nothing
 *   response  body: the JSON of `BrokerStatusResponse`
 */
import { position, queueOffset } from '@sagalog/kernel'
import type { Position, QueueOffset } from '@sagalog/kernel'
import {
  jsonBody,
  jsonCount,
  jsonObject,
  jsonObjectOf,
  jsonObjects,
  jsonText,
} from '../json-body.js'
import { encodedNothing, noFields, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface QueueStatus {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  readonly watermark: QueueOffset
  /** How many offsets above the watermark are settled. */
  readonly settledAbove: number
  readonly maxOffset: QueueOffset
}

export interface LogStatus {
  readonly sequenced: Position
  readonly durable: Position
  readonly writes: number
  readonly syncs: number
  readonly bytes: number
  readonly records: number
}

export interface BrokerStatusResponse {
  readonly halvesOpen: number
  /** Half messages that were checked as often as allowed and wait for a person. */
  readonly halvesParked: number
  readonly timersOpen: number
  /** Replies that were about to leave before what they promise was durable; always 0. */
  readonly earlyReplies: number
  readonly queues: readonly QueueStatus[]
  readonly log: LogStatus
}

export const brokerStatus: RequestCodec<Nothing, BrokerStatusResponse> = {
  code: RequestCode.SAGALOG_BROKER_STATUS,
  name: 'brokerStatus',
  encodeRequest: () => encodedNothing,
  decodeRequest: () => nothing,
  encodeResponse: (response) => ({ fields: noFields, body: jsonBody(response) }),
  decodeResponse({ body }): BrokerStatusResponse {
    const status = jsonObjectOf(body)
    const log = jsonObject(status, 'log')
    return {
      halvesOpen: jsonCount(status, 'halvesOpen'),
      halvesParked: jsonCount(status, 'halvesParked'),
      timersOpen: jsonCount(status, 'timersOpen'),
      earlyReplies: jsonCount(status, 'earlyReplies'),
      queues: jsonObjects(status, 'queues').map((row) => ({
        group: jsonText(row, 'group'),
        topic: jsonText(row, 'topic'),
        queueId: jsonCount(row, 'queueId'),
        watermark: queueOffset(jsonCount(row, 'watermark')),
        settledAbove: jsonCount(row, 'settledAbove'),
        maxOffset: queueOffset(jsonCount(row, 'maxOffset')),
      })),
      log: {
        sequenced: position(jsonCount(log, 'sequenced')),
        durable: position(jsonCount(log, 'durable')),
        writes: jsonCount(log, 'writes'),
        syncs: jsonCount(log, 'syncs'),
        bytes: jsonCount(log, 'bytes'),
        records: jsonCount(log, 'records'),
      },
    }
  },
}
