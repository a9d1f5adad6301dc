/**
 * SAGALOG_LIST_TOPICS (20013): the topics of a broker by their names, a page at a time.
 *
 *   request   after (the last name seen; empty at first), maxTopics
 *   response  body: {"topics":[{"topic":"…","kind":"message","readQueues":4,"writeQueues":4,
 *             "perm":6,"messages":0}],"hasMore":false}
 */
import { count32Field, fieldInvalid, textField } from '../fields.js'
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
import type { TopicKind } from './create-topic.js'

export interface ListTopicsRequest {
  /** Only names behind this one; empty for all. */
  readonly after: string
  readonly maxTopics: number
}

export interface TopicSummary {
  readonly topic: string
  readonly kind: TopicKind
  readonly readQueues: number
  readonly writeQueues: number
  /** 4 read, 2 write, 1 inherit. */
  readonly perm: number
  /** Messages that its queues ever had. */
  readonly messages: number
}

export interface ListTopicsResponse {
  readonly topics: readonly TopicSummary[]
  /** True when there are more behind the last one. */
  readonly hasMore: boolean
}

function kindOf(row: JsonObject): TopicKind {
  const kind = jsonText(row, 'kind')
  if (kind === 'message' || kind === 'event') return kind
  throw fieldInvalid('kind', kind)
}

/** Reads what a listing and a description say alike. */
export function topicSummaryOf(row: JsonObject): TopicSummary {
  return {
    topic: jsonText(row, 'topic'),
    kind: kindOf(row),
    readQueues: jsonCount(row, 'readQueues'),
    writeQueues: jsonCount(row, 'writeQueues'),
    perm: jsonCount(row, 'perm'),
    messages: jsonCount(row, 'messages'),
  }
}

export const listTopics: RequestCodec<ListTopicsRequest, ListTopicsResponse> = {
  code: RequestCode.SAGALOG_LIST_TOPICS,
  name: 'listTopics',
  encodeRequest({ after, maxTopics }) {
    const fields = new Map([
      ['after', after],
      ['maxTopics', String(maxTopics)],
    ])
    return { fields, body: noBody }
  },
  decodeRequest: ({ fields }) => ({
    after: textField(fields, 'after'),
    maxTopics: count32Field(fields, 'maxTopics'),
  }),
  encodeResponse: ({ hasMore, topics }) => ({
    fields: noFields,
    body: jsonBody({ topics, hasMore }),
  }),
  decodeResponse({ body }) {
    const answer = jsonObjectOf(body)
    return {
      topics: jsonObjects(answer, 'topics').map(topicSummaryOf),
      hasMore: jsonFlag(answer, 'hasMore'),
    }
  },
}
