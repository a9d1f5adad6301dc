/**
 * SAGALOG_DESCRIBE_TOPIC (20014): one topic with its queues and the groups that read it.
 *
 *   request   topic
 *   response  body: the row of SAGALOG_LIST_TOPICS, and "queues":[{"queueId":0,"minOffset":0,
 *             "maxOffset":2,"firstStoredAtMs":1,"lastStoredAtMs":2}] (no times where it is empty),
 *             "groups":[{"group":"…","lag":0,"isLive":true}]
 */
import { queueOffset, type QueueOffset } from '@sagalog/kernel'
import { textField } from '../fields.js'
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
import { type TopicSummary, topicSummaryOf } from './list-topics.js'

export interface DescribeTopicRequest {
  readonly topic: string
}

export interface TopicQueue {
  readonly queueId: number
  /** The offset of the first message that it still has. */
  readonly minOffset: QueueOffset
  /** The offset of the next message. */
  readonly maxOffset: QueueOffset
  /** When its messages were stored, by the broker's wall clock; absent while it is empty. */
  readonly firstStoredAtMs?: number
  readonly lastStoredAtMs?: number
}

/** What a group has to do with a topic. */
export interface TopicReader {
  readonly group: string
  /** Messages that it has not settled, of the queues where it has a place. */
  readonly lag: number
  /** One of its consumers is connected and reads the topic. */
  readonly isLive: boolean
}

export interface DescribeTopicResponse extends TopicSummary {
  readonly queues: readonly TopicQueue[]
  readonly groups: readonly TopicReader[]
}

export function topicReaderOf(row: JsonObject): TopicReader {
  return {
    group: jsonText(row, 'group'),
    lag: jsonCount(row, 'lag'),
    isLive: jsonFlag(row, 'isLive'),
  }
}

function queueOf(row: JsonObject): TopicQueue {
  const queue = {
    queueId: jsonCount(row, 'queueId'),
    minOffset: queueOffset(jsonCount(row, 'minOffset')),
    maxOffset: queueOffset(jsonCount(row, 'maxOffset')),
  }
  if (!Object.hasOwn(row, 'firstStoredAtMs')) return queue
  return {
    ...queue,
    firstStoredAtMs: jsonCount(row, 'firstStoredAtMs'),
    lastStoredAtMs: jsonCount(row, 'lastStoredAtMs'),
  }
}

export const describeTopic: RequestCodec<DescribeTopicRequest, DescribeTopicResponse> = {
  code: RequestCode.SAGALOG_DESCRIBE_TOPIC,
  name: 'describeTopic',
  encodeRequest: ({ topic }) => ({ fields: new Map([['topic', topic]]), body: noBody }),
  decodeRequest: ({ fields }) => ({ topic: textField(fields, 'topic') }),
  encodeResponse: (response) => ({ fields: noFields, body: jsonBody(response) }),
  decodeResponse({ body }) {
    const answer = jsonObjectOf(body)
    return {
      ...topicSummaryOf(answer),
      queues: jsonObjects(answer, 'queues').map(queueOf),
      groups: jsonObjects(answer, 'groups').map(topicReaderOf),
    }
  },
}
