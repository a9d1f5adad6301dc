/**
 * SEND_BATCH_MESSAGE (320): several messages for one queue, stored one behind the other or not at
 * all.
 *
 *   request   fields as of SEND_MESSAGE_V2 (send-message.ts), with m batch=true
 *             body, per message: total int32 | magic int32, 0 | checksum int32, 0 | flag int32 |
 *                                body: int32 length, bytes | properties: int16 length, UTF-8
 *   response  as of a send: msgId has the ids joined by commas, queueOffset is that of the first
 */
import { isUtf8 } from 'node:buffer'
import { assert } from '@sagalog/kernel'
import { ProtocolError } from '../errors.js'
import { BATCH_MESSAGES_MAX, PROPERTIES_BYTES_MAX } from '../limits.js'
import type { RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import {
  decodeSendResponse,
  encodeSendResponse,
  sendFailureFields,
  sendFields,
  sendHeader,
  type SendHeader,
  type SendMessageResponse,
  sendPayloadCodes,
} from './send-message.js'

export interface BatchMessage {
  readonly flag: number
  /** Text of `message-properties.ts`. */
  readonly properties: string
  readonly body: Buffer
}

export interface SendBatchRequest extends SendHeader {
  readonly messages: readonly BatchMessage[]
}

/** Total, magic, checksum, flag, and the lengths of body and properties. */
const FIXED_BYTES = 4 + 4 + 4 + 4 + 4 + 2

function encodeMessages(messages: readonly BatchMessage[]): Buffer {
  const parts = messages.map(({ body, flag, properties }) => {
    const text = Buffer.from(properties, 'utf8')
    assert(text.length <= PROPERTIES_BYTES_MAX, 'the properties fit into their length field')
    const bytes = Buffer.alloc(FIXED_BYTES + body.length + text.length)
    bytes.writeInt32BE(bytes.length, 0)
    bytes.writeInt32BE(flag, 12)
    bytes.writeInt32BE(body.length, 16)
    body.copy(bytes, 20)
    bytes.writeInt16BE(text.length, 20 + body.length)
    text.copy(bytes, 22 + body.length)
    return bytes
  })
  return Buffer.concat(parts)
}

function decodeMessages(bytes: Buffer): BatchMessage[] {
  const messages: BatchMessage[] = []
  for (let at = 0; at < bytes.length;) {
    const malformed = (what: string): ProtocolError =>
      new ProtocolError('BODY_MALFORMED', { what: `${what} of a message of a batch`, at })
    if (messages.length >= BATCH_MESSAGES_MAX)
      throw new ProtocolError('TOO_LARGE', {
        what: 'a batch',
        bytes: messages.length + 1,
        max: BATCH_MESSAGES_MAX,
      })
    if (bytes.length - at < FIXED_BYTES) throw malformed('half')
    const end = at + bytes.readInt32BE(at)
    if (end < at + FIXED_BYTES || end > bytes.length) throw malformed('a wrong length')
    const bodyBytes = bytes.readInt32BE(at + 16)
    if (bodyBytes < 0 || bodyBytes > end - at - FIXED_BYTES) throw malformed('a wrong body length')
    const bodyAt = at + 20
    const textAt = bodyAt + bodyBytes + 2
    const textBytes = bytes.readInt16BE(textAt - 2)
    if (textBytes < 0 || textAt + textBytes !== end) throw malformed('a wrong properties length')
    const text = bytes.subarray(textAt, end)
    if (!isUtf8(text)) throw malformed('properties that are no UTF-8')
    messages.push({
      flag: bytes.readInt32BE(at + 12),
      properties: text.toString('utf8'),
      body: bytes.subarray(bodyAt, bodyAt + bodyBytes),
    })
    at = end
  }
  return messages
}

export const sendBatch: RequestCodec<SendBatchRequest, SendMessageResponse> = {
  code: RequestCode.SEND_BATCH_MESSAGE,
  name: 'sendBatch',
  payloadCodes: sendPayloadCodes,
  failureFields: sendFailureFields,
  encodeRequest(request) {
    const fields = sendFields(request)
    fields.set('m', 'true')
    return { fields, body: encodeMessages(request.messages) }
  },
  decodeRequest: ({ fields, body }) => ({
    ...sendHeader(fields),
    messages: decodeMessages(body),
  }),
  encodeResponse: encodeSendResponse,
  decodeResponse: decodeSendResponse,
}
