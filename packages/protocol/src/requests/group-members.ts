/**
 * GET_CONSUMER_LIST_BY_GROUP (38): the live instances of a group, by which each of RocketMQ's
 * consumers computes its own queues.
 *
 *   request   consumerGroup
 *   response  body: {"consumerIdList":["…"]}; SYSTEM_ERROR when there is none
 */
import { textField } from '../fields.js'
import { jsonBody, jsonObjectOf, jsonTexts } from '../json-body.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface GroupMembersRequest {
  readonly consumerGroup: string
}

export interface GroupMembersResponse {
  readonly clientIds: readonly string[]
}

export const groupMembers: RequestCodec<GroupMembersRequest, GroupMembersResponse> = {
  code: RequestCode.GET_CONSUMER_LIST_BY_GROUP,
  name: 'groupMembers',
  encodeRequest: ({ consumerGroup }) => ({
    fields: new Map([['consumerGroup', consumerGroup]]),
    body: noBody,
  }),
  decodeRequest: ({ fields }) => ({ consumerGroup: textField(fields, 'consumerGroup') }),
  encodeResponse: ({ clientIds }) => ({
    fields: noFields,
    body: jsonBody({ consumerIdList: clientIds }),
  }),
  decodeResponse: ({ body }) => ({ clientIds: jsonTexts(jsonObjectOf(body), 'consumerIdList') }),
}
