/**
 * PULL_MESSAGE (11): the next messages of one queue; held by the broker while there are none.
 *
 *   request   consumerGroup, topic, queueId, queueOffset, maxMsgNums, sysFlag, commitOffset,
 *             suspendTimeoutMillis, subscription?, subVersion, expressionType?, maxMsgBytes?,
 *             sagalogEpoch? (ours: the grant of the queue under which the consumer reads)
 *   response  suggestWhichBrokerId, nextBeginOffset, minOffset, maxOffset
 *             body: stored messages, one after the other
 *
 * LITE_PULL_MESSAGE (361) is the same and is read as well. sysFlag: 1 commitOffset counts, 2 may be
 * held, 4 `subscription` is there; without it, that of the last heartbeat counts. The four fields
 * of the response stand in all of FOUND (0), PULL_NOT_FOUND, PULL_RETRY_IMMEDIATELY and
 * PULL_OFFSET_MOVED.
 */
import type { LeaseEpoch, QueueOffset } from '@sagalog/kernel'
import { assert } from '@sagalog/kernel'
import { count32Field, countField, int32Field } from '../fields.js'
import { leaseEpochField, queueOffsetField, textField } from '../fields.js'
import { storedMessagesIn } from '../message-stored.js'
import { type Encoded, noBody, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { ResponseCode } from '../response-codes.js'

export interface PullMessageRequest {
  readonly consumerGroup: string
  readonly topic: string
  readonly queueId: number
  readonly queueOffset: QueueOffset
  readonly maxMessages: number
  /** At least one message comes whatever its length. */
  readonly maxBytes: number
  /** How long the broker may hold an empty answer; 0 answers at once. */
  readonly suspendMs: number
  /** `*`, or tags separated by `||`; absent: what the group's last heartbeat said. */
  readonly subscription?: string
  /** TAG unless told. */
  readonly expressionType?: string
  /** A client of RocketMQ says on the way where its group stands in the queue. */
  readonly commitOffset?: QueueOffset
  /** Sagalog's own consumers say under which grant they read. */
  readonly epoch?: LeaseEpoch
}

export interface PullMessageResponse {
  readonly nextBeginOffset: QueueOffset
  readonly minOffset: QueueOffset
  /** One more than the offset of the newest message. */
  readonly maxOffset: QueueOffset
  /** Each a stored message. */
  readonly messages: readonly Buffer[]
}

const COMMIT_OFFSET = 1
const SUSPEND = 2
const HAS_SUBSCRIPTION = 4
/** What Java's push consumer asks for; clients before 5.0 do not say. */
const MAX_BYTES_DEFAULT = 262_144

function encodeRequest(request: PullMessageRequest): Encoded {
  assert(request.suspendMs >= 0, 'a pull is held for no negative time')
  const fields = new Map<string, string>()
  fields.set('consumerGroup', request.consumerGroup)
  fields.set('topic', request.topic)
  fields.set('queueId', String(request.queueId))
  fields.set('queueOffset', String(request.queueOffset))
  fields.set('maxMsgNums', String(request.maxMessages))
  const { commitOffset, expressionType, subscription } = request
  let sysFlag = request.suspendMs > 0 ? SUSPEND : 0
  if (commitOffset !== undefined) sysFlag |= COMMIT_OFFSET
  if (subscription !== undefined) sysFlag |= HAS_SUBSCRIPTION
  fields.set('sysFlag', String(sysFlag))
  fields.set('commitOffset', String(commitOffset ?? 0))
  fields.set('suspendTimeoutMillis', String(request.suspendMs))
  if (subscription !== undefined) fields.set('subscription', subscription)
  fields.set('subVersion', '0')
  if (expressionType !== undefined) fields.set('expressionType', expressionType)
  fields.set('maxMsgBytes', String(request.maxBytes))
  if (request.epoch !== undefined) fields.set('sagalogEpoch', String(request.epoch))
  return { fields, body: noBody }
}

function decodeRequest({ fields }: Encoded): PullMessageRequest {
  const sysFlag = int32Field(fields, 'sysFlag')
  const subscription = fields.get('subscription')
  const expressionType = fields.get('expressionType')
  const request: PullMessageRequest = {
    consumerGroup: textField(fields, 'consumerGroup'),
    topic: textField(fields, 'topic'),
    queueId: count32Field(fields, 'queueId'),
    queueOffset: queueOffsetField(fields, 'queueOffset'),
    maxMessages: count32Field(fields, 'maxMsgNums'),
    maxBytes: fields.has('maxMsgBytes') ? count32Field(fields, 'maxMsgBytes') : MAX_BYTES_DEFAULT,
    suspendMs: (sysFlag & SUSPEND) === 0 ? 0 : countField(fields, 'suspendTimeoutMillis'),
    ...((sysFlag & HAS_SUBSCRIPTION) === 0 ? {} : { subscription: subscription ?? '*' }),
    ...(expressionType === undefined ? {} : { expressionType }),
  }
  const epoch = fields.has('sagalogEpoch') ? leaseEpochField(fields, 'sagalogEpoch') : undefined
  if ((sysFlag & COMMIT_OFFSET) === 0) return epoch === undefined ? request : { ...request, epoch }
  const commitOffset = queueOffsetField(fields, 'commitOffset')
  return { ...request, commitOffset, ...(epoch === undefined ? {} : { epoch }) }
}

function encodeResponse(response: PullMessageResponse): Encoded {
  const fields = new Map<string, string>()
  fields.set('suggestWhichBrokerId', '0')
  fields.set('nextBeginOffset', String(response.nextBeginOffset))
  fields.set('minOffset', String(response.minOffset))
  fields.set('maxOffset', String(response.maxOffset))
  const { messages } = response
  const [first] = messages
  if (first === undefined) return { fields, body: noBody }
  return { fields, body: messages.length === 1 ? first : Buffer.concat(messages) }
}

function decodeResponse({ fields, body }: Encoded): PullMessageResponse {
  return {
    nextBeginOffset: queueOffsetField(fields, 'nextBeginOffset'),
    minOffset: queueOffsetField(fields, 'minOffset'),
    maxOffset: queueOffsetField(fields, 'maxOffset'),
    messages: storedMessagesIn(body),
  }
}

export const pullMessage: RequestCodec<PullMessageRequest, PullMessageResponse> = {
  code: RequestCode.PULL_MESSAGE,
  alsoCode: RequestCode.LITE_PULL_MESSAGE,
  name: 'pullMessage',
  payloadCodes: [
    ResponseCode.PULL_NOT_FOUND,
    ResponseCode.PULL_RETRY_IMMEDIATELY,
    ResponseCode.PULL_OFFSET_MOVED,
  ],
  encodeRequest,
  decodeRequest,
  encodeResponse,
  decodeResponse,
}
