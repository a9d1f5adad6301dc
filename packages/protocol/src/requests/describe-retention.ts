/**
 * SAGALOG_DESCRIBE_RETENTION (20025): what is let go, what went, and who holds it up.
 *
 *   request   nothing
 *   response  body: the JSON of `DescribeRetentionResponse`
 */
import { type Position, position, type QueueOffset, queueOffset } from '@sagalog/kernel'
import {
  jsonBody,
  jsonCount,
  jsonFlag,
  type JsonObject,
  jsonObject,
  jsonObjectOf,
  jsonObjects,
  jsonText,
} from '../json-body.js'
import { encodedNothing, noFields, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

/** Absent bounds do not hold. */
export interface RetentionBounds {
  readonly maxAgeMs?: number
  readonly maxBytes?: number
  readonly capBytes?: number
}

/** A group whose place keeps messages that would be let go. */
export interface HeldUpQueue {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  /** Its oldest message that is not settled. */
  readonly offset: QueueOffset
}

export interface DescribeRetentionResponse {
  /** It runs by itself; without, nothing goes but by `broker.retain()`. */
  readonly isOn: boolean
  readonly bounds: RetentionBounds
  /** What a group has not settled goes by the bounds like the rest. */
  readonly expiresUnread: boolean
  /** Where the log begins. */
  readonly start: Position
  /** Bytes of its files, and how many of them are closed. */
  readonly logBytes: number
  readonly closedSegments: number
  /** All of the following since the broker was opened. */
  readonly runs: number
  readonly messagesLetGo: number
  readonly segmentsRetired: number
  readonly segmentsRewritten: number
  readonly bytesFreed: number
  /** Absent before the first. */
  readonly lastRunAtMs?: number
  /** Why the last run came to no end. */
  readonly lastProblem?: string
  /** As of the last run, at most a hundred. */
  readonly heldUp: readonly HeldUpQueue[]
  /** Messages that were let go though a group had not settled them. */
  readonly passedOver: readonly { readonly group: string; readonly messages: number }[]
}

function optional(row: JsonObject, name: string): object {
  return Object.hasOwn(row, name) ? { [name]: jsonCount(row, name) } : {}
}

export const describeRetention: RequestCodec<Nothing, DescribeRetentionResponse> = {
  code: RequestCode.SAGALOG_DESCRIBE_RETENTION,
  name: 'describeRetention',
  encodeRequest: () => encodedNothing,
  decodeRequest: () => nothing,
  encodeResponse: (response) => ({ fields: noFields, body: jsonBody(response) }),
  decodeResponse({ body }) {
    const answer = jsonObjectOf(body)
    const bounds = jsonObject(answer, 'bounds')
    const problem = Object.hasOwn(answer, 'lastProblem')
      ? { lastProblem: jsonText(answer, 'lastProblem') }
      : {}
    return {
      isOn: jsonFlag(answer, 'isOn'),
      bounds: {
        ...optional(bounds, 'maxAgeMs'),
        ...optional(bounds, 'maxBytes'),
        ...optional(bounds, 'capBytes'),
      },
      expiresUnread: jsonFlag(answer, 'expiresUnread'),
      start: position(jsonCount(answer, 'start')),
      logBytes: jsonCount(answer, 'logBytes'),
      closedSegments: jsonCount(answer, 'closedSegments'),
      runs: jsonCount(answer, 'runs'),
      messagesLetGo: jsonCount(answer, 'messagesLetGo'),
      segmentsRetired: jsonCount(answer, 'segmentsRetired'),
      segmentsRewritten: jsonCount(answer, 'segmentsRewritten'),
      bytesFreed: jsonCount(answer, 'bytesFreed'),
      ...optional(answer, 'lastRunAtMs'),
      ...problem,
      heldUp: jsonObjects(answer, 'heldUp').map((row) => ({
        group: jsonText(row, 'group'),
        topic: jsonText(row, 'topic'),
        queueId: jsonCount(row, 'queueId'),
        offset: queueOffset(jsonCount(row, 'offset')),
      })),
      passedOver: jsonObjects(answer, 'passedOver').map((row) => ({
        group: jsonText(row, 'group'),
        messages: jsonCount(row, 'messages'),
      })),
    }
  },
}
