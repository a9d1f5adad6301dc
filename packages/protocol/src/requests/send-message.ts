/**
 * SEND_MESSAGE_V2 (310): store one message. SEND_MESSAGE (10) is the same with long field names and
 * is read as well.
 *
 *   request   a producerGroup, b topic, c defaultTopic, d defaultTopicQueueNums, e queueId,
 *             f sysFlag, g bornTimestamp, h flag, i properties?, j reconsumeTimes?,
 *             l maxReconsumeTimes?; ours: q behind?
 *             body: the body of the message
 *   response  msgId, queueId, queueOffset, transactionId?, MSG_REGION, TRACE_ON
 *
 * A half message is a send with the property TRAN_MSG=true and the sysFlag bit 0x4. Java clients
 * read MSG_REGION and TRACE_ON even from a refusal, so a refusal carries them too.
 */
import type { QueueOffset } from '@sagalog/kernel'
import { count32Field, countField, int32Field, queueOffsetField, textField } from '../fields.js'
import { type Encoded, type Fields, noBody, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { ResponseCode } from '../response-codes.js'
import { REGION, TRACE } from '../send-in-place.js'
import { sendMessageInPlace, sendResponseInPlace } from '../send-in-place.js'

/** What a send says in its header. */
export interface SendHeader {
  readonly producerGroup: string
  readonly topic: string
  /** The topic whose settings a topic made on the fly copies. */
  readonly defaultTopic: string
  readonly defaultTopicQueueNums: number
  /** -1: the broker chooses. */
  readonly queueId: number
  readonly sysFlag: number
  readonly bornTimestampMs: number
  /** For the application; not read by the broker. */
  readonly flag: number
  /** Text of `message-properties.ts`. */
  readonly properties: string
  readonly reconsumeTimes: number
  /** Of a message to a retry topic: retries after which it is a dead letter. */
  readonly maxReconsumeTimes?: number
  /**
   * Of a send with the bit SEQUENCED: the number of the same producer that must be stored first, or
   * have ended. Else the send is refused as SYSTEM_BUSY, to be made again.
   */
  readonly behind?: number
}

export interface SendMessageRequest extends SendHeader {
  readonly body: Buffer
}

export interface SendMessageResponse {
  /** The offset id, as text. */
  readonly msgId: string
  readonly queueId: number
  readonly queueOffset: QueueOffset
  /** Of a half message: its unique key. */
  readonly transactionId?: string
}

const LONG = {
  producerGroup: 'producerGroup',
  topic: 'topic',
  defaultTopic: 'defaultTopic',
  defaultTopicQueueNums: 'defaultTopicQueueNums',
  queueId: 'queueId',
  sysFlag: 'sysFlag',
  bornTimestamp: 'bornTimestamp',
  flag: 'flag',
  properties: 'properties',
  reconsumeTimes: 'reconsumeTimes',
  maxReconsumeTimes: 'maxReconsumeTimes',
} as const

const SHORT: Readonly<Record<keyof typeof LONG, string>> = {
  producerGroup: 'a',
  topic: 'b',
  defaultTopic: 'c',
  defaultTopicQueueNums: 'd',
  queueId: 'e',
  sysFlag: 'f',
  bornTimestamp: 'g',
  flag: 'h',
  properties: 'i',
  reconsumeTimes: 'j',
  maxReconsumeTimes: 'l',
}

/** The short names, as Java writes them. */
export function sendFields(request: SendHeader): Map<string, string> {
  const fields = new Map<string, string>()
  fields.set('a', request.producerGroup)
  fields.set('b', request.topic)
  fields.set('c', request.defaultTopic)
  fields.set('d', String(request.defaultTopicQueueNums))
  fields.set('e', String(request.queueId))
  fields.set('f', String(request.sysFlag))
  fields.set('g', String(request.bornTimestampMs))
  fields.set('h', String(request.flag))
  fields.set('i', request.properties)
  fields.set('j', String(request.reconsumeTimes))
  if (request.maxReconsumeTimes !== undefined) fields.set('l', String(request.maxReconsumeTimes))
  if (request.behind !== undefined) fields.set('q', String(request.behind))
  return fields
}

/** Reads short and long names. */
export function sendHeader(fields: Fields): SendHeader {
  const names = fields.has('a') || !fields.has('producerGroup') ? SHORT : LONG
  const header = {
    producerGroup: textField(fields, names.producerGroup),
    topic: textField(fields, names.topic),
    defaultTopic: textField(fields, names.defaultTopic),
    defaultTopicQueueNums: int32Field(fields, names.defaultTopicQueueNums),
    queueId: int32Field(fields, names.queueId),
    sysFlag: int32Field(fields, names.sysFlag),
    bornTimestampMs: countField(fields, names.bornTimestamp),
    flag: int32Field(fields, names.flag),
    properties: fields.get(names.properties) ?? '',
    reconsumeTimes: fields.has(names.reconsumeTimes)
      ? count32Field(fields, names.reconsumeTimes)
      : 0,
  }
  const hasMax = fields.has(names.maxReconsumeTimes)
  const isBehind = fields.has('q')
  if (!hasMax && !isBehind) return header
  return {
    ...header,
    ...(hasMax ? { maxReconsumeTimes: int32Field(fields, names.maxReconsumeTimes) } : {}),
    ...(isBehind ? { behind: countField(fields, 'q') } : {}),
  }
}

export function encodeSendResponse(response: SendMessageResponse): Encoded {
  const fields = new Map(sendFailureFields)
  fields.set('msgId', response.msgId)
  fields.set('queueId', String(response.queueId))
  fields.set('queueOffset', String(response.queueOffset))
  if (response.transactionId !== undefined) fields.set('transactionId', response.transactionId)
  return { fields, body: noBody }
}

export function decodeSendResponse({ fields }: Encoded): SendMessageResponse {
  const msgId = textField(fields, 'msgId')
  const queueId = count32Field(fields, 'queueId')
  const queueOffset = queueOffsetField(fields, 'queueOffset')
  const transactionId = fields.get('transactionId')
  if (transactionId === undefined) return { msgId, queueId, queueOffset }
  return { msgId, queueId, queueOffset, transactionId }
}

export const sendFailureFields: ReadonlyMap<string, string> = new Map([
  ['MSG_REGION', REGION],
  ['TRACE_ON', TRACE],
])

// Stored, but a replica or the disk was late: RocketMQ brokers answer so, and mean success.
export const sendPayloadCodes = [
  ResponseCode.FLUSH_DISK_TIMEOUT,
  ResponseCode.SLAVE_NOT_AVAILABLE,
  ResponseCode.FLUSH_SLAVE_TIMEOUT,
] as const

export const sendMessage: RequestCodec<SendMessageRequest, SendMessageResponse> = {
  code: RequestCode.SEND_MESSAGE_V2,
  alsoCode: RequestCode.SEND_MESSAGE,
  name: 'sendMessage',
  payloadCodes: sendPayloadCodes,
  failureFields: sendFailureFields,
  encodeRequest: (request) => ({ fields: sendFields(request), body: request.body }),
  decodeRequest: ({ fields, body }) => ({ ...sendHeader(fields), body }),
  encodeResponse: encodeSendResponse,
  decodeResponse: decodeSendResponse,
  requestInPlace: sendMessageInPlace,
  responseInPlace: sendResponseInPlace,
}
