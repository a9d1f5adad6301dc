/**
 * VIEW_MESSAGE_BY_ID (33): one stored message, by the position in its offset id.
 *
 *   request   offset, topic?, storeHost? (ours: the host in the offset id; brokers ignore it)
 *   response  body: the stored message
 */
import type { Position } from '@sagalog/kernel'
import { positionField } from '../fields.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface ViewMessageRequest {
  readonly position: Position
  /** `ip:port` of the broker that stored it, for who asks one of many brokers. */
  readonly storeHost?: string
}

export interface ViewMessageResponse {
  /** One stored message. */
  readonly message: Buffer
}

export const viewMessage: RequestCodec<ViewMessageRequest, ViewMessageResponse> = {
  code: RequestCode.VIEW_MESSAGE_BY_ID,
  name: 'viewMessage',
  encodeRequest({ position, storeHost }) {
    const fields = new Map([['offset', String(position)]])
    if (storeHost !== undefined) fields.set('storeHost', storeHost)
    return { fields, body: noBody }
  },
  decodeRequest({ fields }) {
    const position = positionField(fields, 'offset')
    const storeHost = fields.get('storeHost')
    return storeHost === undefined ? { position } : { position, storeHost }
  },
  encodeResponse: ({ message }) => ({ fields: noFields, body: message }),
  decodeResponse: ({ body }) => ({ message: body }),
}
