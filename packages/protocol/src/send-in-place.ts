/**
 * The fields of a send and of its answer, written and read in place; `send-message.ts` says what
 * they are. Batches have the same.
 */
import { queueOffset } from '@sagalog/kernel'
import type { FieldReader } from './field-reader.js'
import { type FieldWriter, textFieldBytesMax, wholeFieldBytesMax } from './field-writer.js'
import type { FieldsInPlace } from './fields-in-place.js'
import { noBody } from './request-codec.js'
import type {
  SendHeader,
  SendMessageRequest,
  SendMessageResponse,
} from './requests/send-message.js'

/** RocketMQ's answers name a region and say whether the send is traced. */
export const REGION = 'DefaultRegion'
export const TRACE = 'false'

/** The numbers; their names have one letter. */
const WHOLES_BYTES_MAX = 9 * wholeFieldBytesMax('a')

/** An upper bound of what the fields of a send take. */
export function sendFieldsBytesMax(header: SendHeader): number {
  return (
    WHOLES_BYTES_MAX +
    textFieldBytesMax('a', header.producerGroup) +
    textFieldBytesMax('b', header.topic) +
    textFieldBytesMax('c', header.defaultTopic) +
    textFieldBytesMax('i', header.properties)
  )
}

export function writeSendFields(header: SendHeader, fields: FieldWriter): void {
  fields.text('a', header.producerGroup)
  fields.text('b', header.topic)
  fields.text('c', header.defaultTopic)
  fields.whole('d', header.defaultTopicQueueNums)
  fields.whole('e', header.queueId)
  fields.whole('f', header.sysFlag)
  fields.whole('g', header.bornTimestampMs)
  fields.whole('h', header.flag)
  fields.text('i', header.properties)
  fields.whole('j', header.reconsumeTimes)
  if (header.maxReconsumeTimes !== undefined) fields.whole('l', header.maxReconsumeTimes)
  if (header.behind !== undefined) fields.whole('q', header.behind)
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

const isInt32 = (value: number): boolean => value === (value | 0)

const NOT_PLAIN = -1
const NOT_ASKED = 0
/** Bits of the fields that have to be there: a to h. */
const NEEDED = 0xff

/** Takes one field; gives its bit. */
function takeField(header: Writable<SendHeader>, fields: FieldReader): number {
  switch (fields.letter) {
    case 0x61:
      header.producerGroup = fields.text() ?? ''
      return header.producerGroup === '' ? NOT_PLAIN : 1
    case 0x62:
      header.topic = fields.text() ?? ''
      return header.topic === '' ? NOT_PLAIN : 2
    case 0x63:
      header.defaultTopic = fields.text() ?? ''
      return header.defaultTopic === '' ? NOT_PLAIN : 4
    case 0x64:
      header.defaultTopicQueueNums = fields.whole()
      return isInt32(header.defaultTopicQueueNums) ? 8 : NOT_PLAIN
    case 0x65:
      header.queueId = fields.whole()
      return isInt32(header.queueId) ? 16 : NOT_PLAIN
    case 0x66:
      header.sysFlag = fields.whole()
      return isInt32(header.sysFlag) ? 32 : NOT_PLAIN
    case 0x67:
      header.bornTimestampMs = fields.whole()
      return header.bornTimestampMs >= 0 ? 64 : NOT_PLAIN
    case 0x68:
      header.flag = fields.whole()
      return isInt32(header.flag) ? 128 : NOT_PLAIN
    case 0x69:
      header.properties = fields.newText() ?? ''
      return header.properties === '' ? NOT_PLAIN : 256
    case 0x6a:
      header.reconsumeTimes = fields.whole()
      return isInt32(header.reconsumeTimes) && header.reconsumeTimes >= 0 ? 512 : NOT_PLAIN
    case 0x6c:
      header.maxReconsumeTimes = fields.whole()
      return isInt32(header.maxReconsumeTimes) ? 1_024 : NOT_PLAIN
    case 0x71:
      header.behind = fields.whole()
      return header.behind >= 0 ? 2_048 : NOT_PLAIN
    // A long name may be one that the other way reads.
    case 0:
      return NOT_PLAIN
    default:
      return NOT_ASKED
  }
}

/** Fills in what the fields say, all of it or as far as it is plain; true when it is all. */
export function readSendFields(header: Writable<SendHeader>, fields: FieldReader): boolean {
  let taken = 0
  while (fields.next()) {
    const bit = takeField(header, fields)
    if (bit === NOT_PLAIN) return false
    taken |= bit
  }
  return fields.isAtEnd && (taken & NEEDED) === NEEDED
}

export const sendMessageInPlace: FieldsInPlace<SendMessageRequest> = {
  bytesMax: sendFieldsBytesMax,
  write: writeSendFields,
  bodyOf: ({ body }) => body,
  read(fields, body) {
    const request: Writable<SendMessageRequest> = {
      producerGroup: '',
      topic: '',
      defaultTopic: '',
      defaultTopicQueueNums: 0,
      queueId: 0,
      sysFlag: 0,
      bornTimestampMs: 0,
      flag: 0,
      properties: '',
      reconsumeTimes: 0,
      body,
    }
    return readSendFields(request, fields) ? request : undefined
  },
}

/** Region and trace switch, which never change, stand first. */
const RESPONSE_BYTES_MAX =
  textFieldBytesMax('MSG_REGION', REGION) +
  textFieldBytesMax('TRACE_ON', TRACE) +
  wholeFieldBytesMax('queueId') +
  wholeFieldBytesMax('queueOffset')

/** What a broker answers to any send, batches included. */
export const sendResponseInPlace: FieldsInPlace<SendMessageResponse> = {
  bytesMax: ({ msgId, transactionId }) =>
    RESPONSE_BYTES_MAX +
    textFieldBytesMax('msgId', msgId) +
    (transactionId === undefined ? 0 : textFieldBytesMax('transactionId', transactionId)),
  write(response, fields) {
    fields.text('MSG_REGION', REGION)
    fields.text('TRACE_ON', TRACE)
    fields.text('msgId', response.msgId)
    fields.whole('queueId', response.queueId)
    fields.whole('queueOffset', response.queueOffset)
    if (response.transactionId !== undefined) fields.text('transactionId', response.transactionId)
  },
  bodyOf: () => noBody,
  read(fields) {
    let msgId = ''
    let queueId = Number.NaN
    let offset = Number.NaN
    let transactionId: string | undefined
    while (fields.next()) {
      if (fields.isName('msgId')) msgId = fields.newText() ?? ''
      else if (fields.isName('queueId')) queueId = fields.whole()
      else if (fields.isName('queueOffset')) offset = fields.whole()
      else if (fields.isName('transactionId')) {
        transactionId = fields.newText()
        if (transactionId === undefined) return undefined
      }
    }
    if (!fields.isAtEnd || msgId === '') return undefined
    if (!isInt32(queueId) || queueId < 0 || !(offset >= 0)) return undefined
    if (transactionId === undefined) return { msgId, queueId, queueOffset: queueOffset(offset) }
    return { msgId, queueId, queueOffset: queueOffset(offset), transactionId }
  },
}
