/**
 * UNLOCK_BATCH_MQ (42): an orderly consumer of RocketMQ gives queues back.
 *
 *   request   body as of LOCK_BATCH_MQ (lock-queues.ts)
 *   response  nothing
 */
import { encodedNothing, noFields, nothing } from '../request-codec.js'
import type { Nothing, RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { queuesOfClient, type QueuesOfClient, queuesOfClientBody } from './lock-queues.js'

export const unlockQueues: RequestCodec<QueuesOfClient, Nothing> = {
  code: RequestCode.UNLOCK_BATCH_MQ,
  name: 'unlockQueues',
  encodeRequest: (request) => ({ fields: noFields, body: queuesOfClientBody(request) }),
  decodeRequest: ({ body }) => queuesOfClient(body),
  encodeResponse: () => encodedNothing,
  decodeResponse: () => nothing,
}
