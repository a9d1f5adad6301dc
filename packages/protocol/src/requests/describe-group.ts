/**
 * SAGALOG_DESCRIBE_GROUP (20017): one consumer group: who is connected, and where it stands.
 *
 *   request   group
 *   response  body: {"group":"…","kind":"leased","lag":1,"deadLetters":0,
 *             "members":[{"instance":"…","mode":"clustering","topics":["…"]}],
 *             "queues":[{"topic":"…","queueId":0,"instance":"…","watermark":0,
 *             "settledAbove":0,"maxOffset":1,"lag":1,"oldestStoredAtMs":1,
 *             "oldestAgeMs":1}]}; a queue that nobody holds has no instance,
 *             one without lag no oldest message
 */
import { queueOffset, type QueueOffset } from '@sagalog/kernel'
import { fieldInvalid, textField } from '../fields.js'
import {
  jsonBody,
  jsonCount,
  type JsonObject,
  jsonObjectOf,
  jsonObjects,
  jsonText,
  jsonTexts,
} from '../json-body.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import type { ConsumeMode } from './lease-queues.js'
import { type GroupSummary, groupSummaryOf } from './list-groups.js'

export interface DescribeGroupRequest {
  readonly group: string
}

export interface GroupMember {
  readonly instance: string
  readonly mode: ConsumeMode
  readonly topics: readonly string[]
}

/** Where the group, or a broadcasting instance of it, stands in a queue. */
export interface GroupQueueStanding {
  readonly topic: string
  readonly queueId: number
  /** Who holds the queue, or whose place it is in a broadcasting group. */
  readonly instance?: string
  /** Everything below is settled. */
  readonly watermark: QueueOffset
  /** How many offsets above the watermark are settled. */
  readonly settledAbove: number
  readonly maxOffset: QueueOffset
  readonly lag: number
  /** Of the oldest message that is not settled, by the broker's wall clock; absent without lag. */
  readonly oldestStoredAtMs?: number
  readonly oldestAgeMs?: number
}

export interface DescribeGroupResponse extends Omit<GroupSummary, 'members'> {
  readonly members: readonly GroupMember[]
  readonly queues: readonly GroupQueueStanding[]
}

function memberOf(row: JsonObject): GroupMember {
  const mode = jsonText(row, 'mode')
  if (mode !== 'clustering' && mode !== 'broadcasting') throw fieldInvalid('mode', mode)
  return { instance: jsonText(row, 'instance'), mode, topics: jsonTexts(row, 'topics') }
}

function queueOf(row: JsonObject): GroupQueueStanding {
  const has = (field: string): boolean => Object.hasOwn(row, field)
  return {
    topic: jsonText(row, 'topic'),
    queueId: jsonCount(row, 'queueId'),
    ...(has('instance') ? { instance: jsonText(row, 'instance') } : {}),
    watermark: queueOffset(jsonCount(row, 'watermark')),
    settledAbove: jsonCount(row, 'settledAbove'),
    maxOffset: queueOffset(jsonCount(row, 'maxOffset')),
    lag: jsonCount(row, 'lag'),
    ...(has('oldestStoredAtMs')
      ? {
          oldestStoredAtMs: jsonCount(row, 'oldestStoredAtMs'),
          oldestAgeMs: jsonCount(row, 'oldestAgeMs'),
        }
      : {}),
  }
}

export const describeGroup: RequestCodec<DescribeGroupRequest, DescribeGroupResponse> = {
  code: RequestCode.SAGALOG_DESCRIBE_GROUP,
  name: 'describeGroup',
  encodeRequest: ({ group }) => ({ fields: new Map([['group', group]]), body: noBody }),
  decodeRequest: ({ fields }) => ({ group: textField(fields, 'group') }),
  encodeResponse: (response) => ({ fields: noFields, body: jsonBody(response) }),
  decodeResponse({ body }) {
    const answer = jsonObjectOf(body)
    return {
      ...groupSummaryOf(answer),
      members: jsonObjects(answer, 'members').map(memberOf),
      queues: jsonObjects(answer, 'queues').map(queueOf),
    }
  },
}
