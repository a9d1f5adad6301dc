/** Request codes, named as in Java's `RequestCode`; those from 20001 on are Sagalog's own. */

export const RequestCode = {
  /** Read as SEND_MESSAGE_V2 with long field names. */
  SEND_MESSAGE: 10,
  PULL_MESSAGE: 11,
  UPDATE_AND_CREATE_TOPIC: 17,
  HEART_BEAT: 34,
  UNREGISTER_CLIENT: 35,
  END_TRANSACTION: 37,
  CHECK_TRANSACTION_STATE: 39,
  NOTIFY_CONSUMER_IDS_CHANGED: 40,
  GET_ROUTEINFO_BY_TOPIC: 105,
  SEND_MESSAGE_V2: 310,
  SAGALOG_LEASE_QUEUES: 20_001,
  SAGALOG_COMMIT: 20_002,
  SAGALOG_READ_STREAM: 20_003,
  SAGALOG_BROKER_STATUS: 20_004,
} as const

export type RequestCode = (typeof RequestCode)[keyof typeof RequestCode]
