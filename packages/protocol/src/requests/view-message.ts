/**
 * VIEW_MESSAGE_BY_ID (33): one stored message, by the position in its offset id.
 *
 *   request   offset, topic?
 *   response  body: the stored message
 */
import type { Position } from '@sagalog/kernel'
import { positionField } from '../fields.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface ViewMessageRequest {
  readonly position: Position
}

export interface ViewMessageResponse {
  /** One stored message. */
  readonly message: Buffer
}

export const viewMessage: RequestCodec<ViewMessageRequest, ViewMessageResponse> = {
  code: RequestCode.VIEW_MESSAGE_BY_ID,
  name: 'viewMessage',
  encodeRequest: ({ position }) => ({
    fields: new Map([['offset', String(position)]]),
    body: noBody,
  }),
  decodeRequest: ({ fields }) => ({ position: positionField(fields, 'offset') }),
  encodeResponse: ({ message }) => ({ fields: noFields, body: message }),
  decodeResponse: ({ body }) => ({ message: body }),
}
