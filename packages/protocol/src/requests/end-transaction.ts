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
import { position, type Position } from '@sagalog/kernel'
import { textFieldBytesMax, wholeFieldBytesMax } from '../field-writer.js'
import type { FieldsInPlace } from '../fields-in-place.js'
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

function decisionOf(text: string): TransactionDecision | undefined {
  switch (text) {
    case '0':
      return 'unknown'
    case '8':
      return 'commit'
    case '12':
      return 'rollback'
    default:
      return undefined
  }
}

function decisionField(fields: Fields): TransactionDecision {
  const text = textField(fields, 'commitOrRollback')
  const decision = decisionOf(text)
  if (decision === undefined) throw fieldInvalid('commitOrRollback', text)
  return decision
}

const FIXED_BYTES_MAX =
  wholeFieldBytesMax('tranStateTableOffset') +
  wholeFieldBytesMax('commitLogOffset') +
  textFieldBytesMax('commitOrRollback', '12') +
  textFieldBytesMax('fromTransactionCheck', 'false')

const requestInPlace: FieldsInPlace<EndTransactionRequest> = {
  bytesMax: ({ msgId, producerGroup, topic, transactionId }) =>
    FIXED_BYTES_MAX +
    textFieldBytesMax('topic', topic) +
    textFieldBytesMax('producerGroup', producerGroup) +
    textFieldBytesMax('msgId', msgId) +
    textFieldBytesMax('transactionId', transactionId),
  write(request, fields) {
    fields.text('topic', request.topic)
    fields.text('producerGroup', request.producerGroup)
    fields.whole('tranStateTableOffset', request.tranStateTableOffset)
    fields.whole('commitLogOffset', request.commitLogOffset)
    fields.text('commitOrRollback', DECISION_TEXT[request.decision])
    fields.text('fromTransactionCheck', request.fromTransactionCheck ? 'true' : 'false')
    fields.text('msgId', request.msgId)
    fields.text('transactionId', request.transactionId)
  },
  bodyOf: () => noBody,
  read(fields) {
    let topic: string | undefined = ''
    let producerGroup: string | undefined
    let tableOffset = Number.NaN
    let logOffset = Number.NaN
    let decision: TransactionDecision | undefined
    let isChecked: string | undefined = 'false'
    let msgId: string | undefined
    let transactionId: string | undefined = ''
    while (fields.next()) {
      if (fields.isName('topic')) topic = fields.text()
      else if (fields.isName('producerGroup')) producerGroup = fields.text()
      else if (fields.isName('tranStateTableOffset')) tableOffset = fields.whole()
      else if (fields.isName('commitLogOffset')) logOffset = fields.whole()
      else if (fields.isName('commitOrRollback')) decision = decisionOf(fields.text() ?? '')
      else if (fields.isName('fromTransactionCheck')) isChecked = fields.text()
      else if (fields.isName('msgId')) msgId = fields.newText()
      else if (fields.isName('transactionId')) transactionId = fields.newText()
    }
    if (!fields.isAtEnd || !(tableOffset >= 0) || !(logOffset >= 0)) return undefined
    if (topic === undefined || producerGroup === undefined || decision === undefined)
      return undefined
    if (isChecked === undefined || msgId === undefined || transactionId === undefined)
      return undefined
    return {
      topic,
      producerGroup,
      tranStateTableOffset: tableOffset,
      commitLogOffset: position(logOffset),
      decision,
      fromTransactionCheck: isChecked.toLowerCase() === 'true',
      msgId,
      transactionId,
    }
  },
}

const responseInPlace: FieldsInPlace<EndTransactionResponse> = {
  bytesMax: () => textFieldBytesMax('commitOrRollback', '12'),
  write({ outcome }, fields) {
    if (outcome !== undefined) fields.text('commitOrRollback', DECISION_TEXT[outcome])
  },
  bodyOf: () => noBody,
  read(fields) {
    let outcome: TransactionDecision | undefined
    while (fields.next())
      if (fields.isName('commitOrRollback')) outcome = decisionOf(fields.text() ?? '')
    return fields.isAtEnd && outcome !== undefined ? { outcome } : undefined
  },
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
  requestInPlace,
  responseInPlace,
}
