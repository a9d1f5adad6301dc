/**
 * NOTIFY_CONSUMER_IDS_CHANGED (40), broker to client, one-way: the members of a group changed, so
 * ask for queues again now.
 *
 *   request   consumerGroup
 */
import { textField } from '../fields.js'
import { encodedNothing, noBody, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface NotifyMembersRequest {
  readonly consumerGroup: string
}

export const notifyMembers: RequestCodec<NotifyMembersRequest, Nothing> = {
  code: RequestCode.NOTIFY_CONSUMER_IDS_CHANGED,
  name: 'notifyMembers',
  encodeRequest: (request) => ({
    fields: new Map([['consumerGroup', request.consumerGroup]]),
    body: noBody,
  }),
  decodeRequest: ({ fields }) => ({ consumerGroup: textField(fields, 'consumerGroup') }),
  encodeResponse: () => encodedNothing,
  decodeResponse: () => nothing,
}
