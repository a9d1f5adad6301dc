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
  let bytes = 0
  for (const { body, properties } of messages) {
    const textBytes = Buffer.byteLength(properties, 'utf8')
    assert(textBytes <= PROPERTIES_BYTES_MAX, 'the properties fit into their length field')
    bytes += FIXED_BYTES + body.length + textBytes
  }
  const target = Buffer.allocUnsafe(bytes)
  let at = 0
  for (const message of messages) at = writeMessage(message, target, at)
  return target
}

/** Writes one message where there is room for it; gives the index after it. */
function writeMessage({ body, flag, properties }: BatchMessage, target: Buffer, at: number) {
  const textAt = at + FIXED_BYTES + body.length
  const textBytes = target.write(properties, textAt, 'utf8')
  target.writeInt32BE(FIXED_BYTES + body.length + textBytes, at)
  // No magic, and no checksum: the broker makes its own.
  target.fill(0, at + 4, at + 12)
  target.writeInt32BE(flag, at + 12)
  target.writeInt32BE(body.length, at + 16)
  body.copy(target, at + 20)
  target.writeInt16BE(textBytes, textAt - 2)
  return textAt + textBytes
}

function decodeMessages(bytes: Buffer): BatchMessage[] {
  const messages: BatchMessage[] = []
  for (let at = 0; at < bytes.length;) {
    if (messages.length >= BATCH_MESSAGES_MAX)
      throw new ProtocolError('TOO_LARGE', {
        what: 'a batch',
        bytes: messages.length + 1,
        max: BATCH_MESSAGES_MAX,
      })
    if (bytes.length - at < FIXED_BYTES) throw malformed('half', at)
    const end = at + bytes.readInt32BE(at)
    if (end < at + FIXED_BYTES || end > bytes.length) throw malformed('a wrong length', at)
    const bodyBytes = bytes.readInt32BE(at + 16)
    if (bodyBytes < 0 || bodyBytes > end - at - FIXED_BYTES)
      throw malformed('a wrong body length', at)
    const bodyAt = at + 20
    const textAt = bodyAt + bodyBytes + 2
    const textBytes = bytes.readInt16BE(textAt - 2)
    if (textBytes < 0 || textAt + textBytes !== end)
      throw malformed('a wrong properties length', at)
    const properties = bytes.toString('utf8', textAt, end)
    // Wrong bytes are read as U+FFFD, so only a text that holds one needs the exact look.
    if (properties.includes('\ufffd') && !isUtf8(bytes.subarray(textAt, end)))
      throw malformed('properties that are no UTF-8', at)
    messages.push({
      flag: bytes.readInt32BE(at + 12),
      properties,
      body: bytes.subarray(bodyAt, bodyAt + bodyBytes),
    })
    at = end
  }
  return messages
}

function malformed(what: string, at: number): ProtocolError {
  return new ProtocolError('BODY_MALFORMED', { what: `${what} of a message of a batch`, at })
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
