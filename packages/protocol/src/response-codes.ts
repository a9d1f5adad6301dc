/** Response codes, named as in Java's `ResponseCode`; those from 20101 on are Sagalog's own. */

export const ResponseCode = {
  SUCCESS: 0,
  SYSTEM_ERROR: 1,
  SYSTEM_BUSY: 2,
  REQUEST_CODE_NOT_SUPPORTED: 3,
  TRANSACTION_FAILED: 4,
  FLUSH_DISK_TIMEOUT: 10,
  SLAVE_NOT_AVAILABLE: 11,
  FLUSH_SLAVE_TIMEOUT: 12,
  MESSAGE_ILLEGAL: 13,
  SERVICE_NOT_AVAILABLE: 14,
  VERSION_NOT_SUPPORTED: 15,
  NO_PERMISSION: 16,
  TOPIC_NOT_EXIST: 17,
  TOPIC_EXIST_ALREADY: 18,
  PULL_NOT_FOUND: 19,
  PULL_RETRY_IMMEDIATELY: 20,
  PULL_OFFSET_MOVED: 21,
  QUERY_NOT_FOUND: 22,
  SUBSCRIPTION_PARSE_FAILED: 23,
  SUBSCRIPTION_NOT_EXIST: 24,
  SUBSCRIPTION_NOT_LATEST: 25,
  SUBSCRIPTION_GROUP_NOT_EXIST: 26,
  INVALID_PARAMETER: 29,
  GO_AWAY: 1500,
  /** The epoch of the request is not the queue's current grant. */
  STALE_LEASE: 20_101,
  /** The half message was decided differently before; the payload says how. */
  ALREADY_DECIDED: 20_102,
  /** The broker has forgotten the producer: it can not tell whether the send is repeated. */
  PRODUCER_FORGOTTEN: 20_103,
} as const

export type ResponseCode = (typeof ResponseCode)[keyof typeof ResponseCode]

const names = new Map<number, string>()
for (const [name, code] of Object.entries(ResponseCode)) names.set(code, name)

/** The name of a response code, for messages to people; the number when it has none here. */
export function responseCodeName(code: number): string {
  return names.get(code) ?? String(code)
}
