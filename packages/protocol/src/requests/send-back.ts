/**
 * CONSUMER_SEND_MSG_BACK (36): a consumer could not handle a message; the broker brings it again
 * later, by the group's retry topic, or puts it to the group's dead letters.
 *
 *   request   offset (position of the message), group, delayLevel (-1 dead letter, 0 the broker
 *             chooses), originMsgId?, originTopic?, maxReconsumeTimes?
 *   response  nothing
 */
import type { Position } from '@sagalog/kernel'
import { int32Field, positionField, textField } from '../fields.js'
import { encodedNothing, noBody, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface SendBackRequest {
  readonly position: Position
  readonly group: string
  readonly delayLevel: number
  /** The topic that the consumer had it from: RocketMQ's broker fails without it. */
  readonly originTopic?: string
  /** Retries after which it is a dead letter; the group's own number when absent. */
  readonly maxReconsumeTimes?: number
}

export const sendBack: RequestCodec<SendBackRequest, Nothing> = {
  code: RequestCode.CONSUMER_SEND_MSG_BACK,
  name: 'sendBack',
  encodeRequest({ delayLevel, group, maxReconsumeTimes, originTopic, position }) {
    const fields = new Map([
      ['offset', String(position)],
      ['group', group],
      ['delayLevel', String(delayLevel)],
    ])
    if (originTopic !== undefined) fields.set('originTopic', originTopic)
    if (maxReconsumeTimes !== undefined) fields.set('maxReconsumeTimes', String(maxReconsumeTimes))
    return { fields, body: noBody }
  },
  decodeRequest({ fields }): SendBackRequest {
    const originTopic = fields.get('originTopic')
    const request = {
      ...(originTopic === undefined ? {} : { originTopic }),
      position: positionField(fields, 'offset'),
      group: textField(fields, 'group'),
      delayLevel: int32Field(fields, 'delayLevel'),
    }
    if (!fields.has('maxReconsumeTimes')) return request
    return { ...request, maxReconsumeTimes: int32Field(fields, 'maxReconsumeTimes') }
  },
  encodeResponse: () => encodedNothing,
  decodeResponse: () => nothing,
}
