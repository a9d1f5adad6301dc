/**
 * UPDATE_AND_CREATE_TOPIC (17): make a topic, or change its queue counts and permissions.
 *
 *   request   topic, defaultTopic, readQueueNums, writeQueueNums, perm, topicFilterType,
 *             topicSysFlag, order, attributes? (`+name=value` parts separated by commas; ours:
 *             `+sagalog.kind=event` makes a topic whose messages are the events of streams)
 *   response  nothing
 */
import { count32Field, textField } from '../fields.js'
import { AUTO_CREATE_TOPIC_KEY_TOPIC } from '../names.js'
import { encodedNothing, noBody, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export type TopicKind = 'message' | 'event'

export interface CreateTopicRequest {
  readonly topic: string
  readonly readQueues: number
  readonly writeQueues: number
  /** 4 read, 2 write, 1 inherit. */
  readonly perm: number
  readonly kind: TopicKind
}

const EVENT_ATTRIBUTE = '+sagalog.kind=event'

export const createTopic: RequestCodec<CreateTopicRequest, Nothing> = {
  code: RequestCode.UPDATE_AND_CREATE_TOPIC,
  name: 'createTopic',
  encodeRequest(request) {
    const fields = new Map([
      ['topic', request.topic],
      ['defaultTopic', AUTO_CREATE_TOPIC_KEY_TOPIC],
      ['readQueueNums', String(request.readQueues)],
      ['writeQueueNums', String(request.writeQueues)],
      ['perm', String(request.perm)],
      ['topicFilterType', 'SINGLE_TAG'],
      ['topicSysFlag', '0'],
      ['order', 'false'],
    ])
    if (request.kind === 'event') fields.set('attributes', EVENT_ATTRIBUTE)
    return { fields, body: noBody }
  },
  decodeRequest({ fields }): CreateTopicRequest {
    const attributes = (fields.get('attributes') ?? '').split(',')
    return {
      topic: textField(fields, 'topic'),
      readQueues: count32Field(fields, 'readQueueNums'),
      writeQueues: count32Field(fields, 'writeQueueNums'),
      perm: count32Field(fields, 'perm'),
      kind: attributes.includes(EVENT_ATTRIBUTE) ? 'event' : 'message',
    }
  },
  encodeResponse: () => encodedNothing,
  decodeResponse: () => nothing,
}
