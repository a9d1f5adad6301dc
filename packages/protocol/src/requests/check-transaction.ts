/**
 * CHECK_TRANSACTION_STATE (39), broker to producer, one-way: what became of this half message? The
 * producer answers with END_TRANSACTION.
 *
 *   request   topic?, tranStateTableOffset, commitLogOffset, msgId?, transactionId?, offsetMsgId?
 *             body: one stored message, with its real topic and queue
 */
import type { Position } from '@sagalog/kernel'
import { countField, positionField } from '../fields.js'
import { encodedNothing, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface CheckTransactionRequest {
  readonly topic: string
  readonly tranStateTableOffset: number
  readonly commitLogOffset: Position
  /** The unique key of the message. */
  readonly msgId: string
  readonly transactionId: string
  readonly offsetMsgId: string
  /** One stored message. */
  readonly message: Buffer
}

export const checkTransaction: RequestCodec<CheckTransactionRequest, Nothing> = {
  code: RequestCode.CHECK_TRANSACTION_STATE,
  name: 'checkTransaction',
  encodeRequest(request) {
    const fields = new Map([
      ['topic', request.topic],
      ['tranStateTableOffset', String(request.tranStateTableOffset)],
      ['commitLogOffset', String(request.commitLogOffset)],
      ['msgId', request.msgId],
      ['transactionId', request.transactionId],
      ['offsetMsgId', request.offsetMsgId],
    ])
    return { fields, body: request.message }
  },
  decodeRequest({ fields, body }): CheckTransactionRequest {
    return {
      topic: fields.get('topic') ?? '',
      tranStateTableOffset: countField(fields, 'tranStateTableOffset'),
      commitLogOffset: positionField(fields, 'commitLogOffset'),
      msgId: fields.get('msgId') ?? '',
      transactionId: fields.get('transactionId') ?? '',
      offsetMsgId: fields.get('offsetMsgId') ?? '',
      message: body,
    }
  },
  encodeResponse: () => encodedNothing,
  decodeResponse: () => nothing,
}
