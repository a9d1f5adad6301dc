/**
 * SAGALOG_DELETE_TOPIC (20015): takes a topic of messages out of service, unless groups need it.
 *
 *   request   topic, force
 *   response  body: {"isDeleted":true,"neededBy":[{"group":"…","lag":0,"isLive":true}],
 *             "timers":0,"halves":0}
 */
import { flagField, textField } from '../fields.js'
import { jsonBody, jsonCount, jsonFlag, jsonObjectOf, jsonObjects } from '../json-body.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { type TopicReader, topicReaderOf } from './describe-topic.js'

export interface DeleteTopicRequest {
  readonly topic: string
  /**
   * Also when groups have not settled all of it, or something is on its way to it; never while one
   * of their consumers reads it.
   */
  readonly isForced: boolean
}

export interface DeleteTopicResponse {
  readonly isDeleted: boolean
  /** The groups for whose sake it was not deleted. */
  readonly neededBy: readonly TopicReader[]
  /** Messages that wait for their time, and half messages without a decision, that go there. */
  readonly timers: number
  readonly halves: number
}

export const deleteTopic: RequestCodec<DeleteTopicRequest, DeleteTopicResponse> = {
  code: RequestCode.SAGALOG_DELETE_TOPIC,
  name: 'deleteTopic',
  encodeRequest({ isForced, topic }) {
    const fields = new Map([
      ['topic', topic],
      ['force', String(isForced)],
    ])
    return { fields, body: noBody }
  },
  decodeRequest: ({ fields }) => ({
    topic: textField(fields, 'topic'),
    isForced: flagField(fields, 'force'),
  }),
  encodeResponse: (response) => ({ fields: noFields, body: jsonBody(response) }),
  decodeResponse({ body }) {
    const answer = jsonObjectOf(body)
    return {
      isDeleted: jsonFlag(answer, 'isDeleted'),
      neededBy: jsonObjects(answer, 'neededBy').map(topicReaderOf),
      timers: jsonCount(answer, 'timers'),
      halves: jsonCount(answer, 'halves'),
    }
  },
}
