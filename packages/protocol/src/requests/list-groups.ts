/**
 * SAGALOG_LIST_GROUPS (20016): the consumer groups of a broker by their names, a page at a time.
 *
 *   request   after (the last name seen; empty at first), maxGroups
 *   response  body: {"groups":[{"group":"…","kind":"leased","members":1,"lag":0,
 *             "deadLetters":0}],"hasMore":false}
 */
import { count32Field, fieldInvalid, textField } from '../fields.js'
import {
  jsonBody,
  jsonCount,
  jsonFlag,
  type JsonObject,
  jsonObjectOf,
  jsonObjects,
  jsonText,
} from '../json-body.js'
import { noBody, noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'

export interface ListGroupsRequest {
  /** Only names behind this one; empty for all. */
  readonly after: string
  readonly maxGroups: number
}

/** Leased: of Sagalog's own consumers. Assigned: of RocketMQ's clients. */
export type GroupKind = 'leased' | 'assigned'

export interface GroupSummary {
  readonly group: string
  readonly kind: GroupKind
  /** Consumers that are connected. */
  readonly members: number
  /** Messages that it has not settled, its retries included. */
  readonly lag: number
  /** Dead letters that were neither sent again nor discarded. */
  readonly deadLetters: number
}

export interface ListGroupsResponse {
  readonly groups: readonly GroupSummary[]
  /** True when there are more behind the last one. */
  readonly hasMore: boolean
}

/** Reads what a listing and a description say alike; a description counts the members itself. */
export function groupSummaryOf(row: JsonObject): Omit<GroupSummary, 'members'> {
  const kind = jsonText(row, 'kind')
  if (kind !== 'leased' && kind !== 'assigned') throw fieldInvalid('kind', kind)
  return {
    group: jsonText(row, 'group'),
    kind,
    lag: jsonCount(row, 'lag'),
    deadLetters: jsonCount(row, 'deadLetters'),
  }
}

export const listGroups: RequestCodec<ListGroupsRequest, ListGroupsResponse> = {
  code: RequestCode.SAGALOG_LIST_GROUPS,
  name: 'listGroups',
  encodeRequest({ after, maxGroups }) {
    const fields = new Map([
      ['after', after],
      ['maxGroups', String(maxGroups)],
    ])
    return { fields, body: noBody }
  },
  decodeRequest: ({ fields }) => ({
    after: textField(fields, 'after'),
    maxGroups: count32Field(fields, 'maxGroups'),
  }),
  encodeResponse: ({ groups, hasMore }) => ({
    fields: noFields,
    body: jsonBody({ groups, hasMore }),
  }),
  decodeResponse({ body }) {
    const answer = jsonObjectOf(body)
    return {
      groups: jsonObjects(answer, 'groups').map((row) => ({
        ...groupSummaryOf(row),
        members: jsonCount(row, 'members'),
      })),
      hasMore: jsonFlag(answer, 'hasMore'),
    }
  },
}
