/**
 * END_TRANSACTION (37): decide a half message.
 *
 *   request   topic?, producerGroup, tranStateTableOffset, commitLogOffset,
 *             commitOrRollback (0 unknown, 8 commit, 12 rollback), fromTransactionCheck, msgId,
 *             transactionId?
 *   response  commitOrRollback?: the decision that stands (ours; Java's broker answers without)
 *
 * Java sends it one-way. Sagalog's producer asks for the answer: only then does it know.
 */
import type { Position } from '@sagalog/kernel'
import { countField, fieldInvalid, flagField, positionField, textField } from '../fields.js'
import { type Encoded, encodedNothing, type Fields, noBody } from '../request-codec.js'
import type { RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { ResponseCode } from '../response-codes.js'

export type TransactionDecision = 'commit' | 'rollback' | 'unknown'

export interface EndTransactionRequest {
  readonly topic: string
  readonly producerGroup: string
  /** The half message's offset in its own queue, as the response to the send said. */
  readonly tranStateTableOffset: number
  readonly commitLogOffset: Position
  readonly decision: TransactionDecision
  /** True when the broker had asked for it. */
  readonly fromTransactionCheck: boolean
  /** The unique key of the message. */
  readonly msgId: string
  readonly transactionId: string
}

export interface EndTransactionResponse {
  /** The decision that stands; another than asked for when one was made before. */
  readonly outcome?: TransactionDecision
}

const DECISION_TEXT: Readonly<Record<TransactionDecision, string>> = {
  unknown: '0',
  commit: '8',
  rollback: '12',
}

function decisionField(fields: Fields): TransactionDecision {
  const text = textField(fields, 'commitOrRollback')
  switch (text) {
    case '0':
      return 'unknown'
    case '8':
      return 'commit'
    case '12':
      return 'rollback'
    default:
      throw fieldInvalid('commitOrRollback', text)
  }
}

export const endTransaction: RequestCodec<EndTransactionRequest, EndTransactionResponse> = {
  code: RequestCode.END_TRANSACTION,
  name: 'endTransaction',
  payloadCodes: [ResponseCode.ALREADY_DECIDED],
  encodeRequest(request) {
    const fields = new Map([
      ['topic', request.topic],
      ['producerGroup', request.producerGroup],
      ['tranStateTableOffset', String(request.tranStateTableOffset)],
      ['commitLogOffset', String(request.commitLogOffset)],
      ['commitOrRollback', DECISION_TEXT[request.decision]],
      ['fromTransactionCheck', String(request.fromTransactionCheck)],
      ['msgId', request.msgId],
      ['transactionId', request.transactionId],
    ])
    return { fields, body: noBody }
  },
  decodeRequest({ fields }): EndTransactionRequest {
    return {
      topic: fields.get('topic') ?? '',
      producerGroup: textField(fields, 'producerGroup'),
      tranStateTableOffset: countField(fields, 'tranStateTableOffset'),
      commitLogOffset: positionField(fields, 'commitLogOffset'),
      decision: decisionField(fields),
      fromTransactionCheck: flagField(fields, 'fromTransactionCheck'),
      msgId: textField(fields, 'msgId'),
      transactionId: fields.get('transactionId') ?? '',
    }
  },
  encodeResponse({ outcome }): Encoded {
    if (outcome === undefined) return encodedNothing
    return { fields: new Map([['commitOrRollback', DECISION_TEXT[outcome]]]), body: noBody }
  },
  decodeResponse: ({ fields }) =>
    fields.has('commitOrRollback') ? { outcome: decisionField(fields) } : {},
}
