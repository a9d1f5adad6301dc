/**
 * SAGALOG_DELETE_TOPIC (20015): takes a topic of messages out of service, unless groups need it.
 *
 *   request   topic, force
 *   response  body: {"isDeleted":true,"neededBy":[{"group":"…","lag":0,"isLive":true}]}
 */
import { flagField, textField } from '../fields.js'
import { jsonBody, jsonFlag, jsonObjectOf, jsonObjects } from '../json-body.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { type TopicReader, topicReaderOf } from './describe-topic.js'

export interface DeleteTopicRequest {
  readonly topic: string
  /** Also when groups have not settled all of it; never while one of their consumers reads it. */
  readonly isForced: boolean
}

export interface DeleteTopicResponse {
  readonly isDeleted: boolean
  /** The groups for whose sake it was not deleted. */
  readonly neededBy: readonly TopicReader[]
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
  encodeResponse: ({ isDeleted, neededBy }) => ({
    fields: noFields,
    body: jsonBody({ isDeleted, neededBy }),
  }),
  decodeResponse({ body }) {
    const answer = jsonObjectOf(body)
    return {
      isDeleted: jsonFlag(answer, 'isDeleted'),
      neededBy: jsonObjects(answer, 'neededBy').map(topicReaderOf),
    }
  },
}
