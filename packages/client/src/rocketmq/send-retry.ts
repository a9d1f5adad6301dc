/**
 * Sends until a broker has stored it, at most three times within its time, each time to another
 * broker where there is one, as RocketMQ's own producers do.
 *
 * A message that may have been stored is sent again only when it has no sharding key and is no
 * half: it is then in the cluster once or more often. With a key it could overtake what was sent
 * behind it, and a second half would be a second transaction; those are repeated only while it is
 * certain that nothing was stored.
 */
import { sleep } from '@sagalog/kernel'
import {
  MessageConst,
  MessageSysFlag,
  propertyOf,
  type RequestCodec,
  ResponseCode,
  responseCodeName,
  type SendHeader,
  type SendMessageResponse,
} from '@sagalog/protocol'
import type { Reply } from '../connection.js'
import { ClientError } from '../errors.js'
import { askBroker, type Cluster } from './cluster.js'
import { SAME_BROKER_RETRY_MS, SEND_TRIES_MAX } from './limits.js'
import { type SendTarget, toward } from './send-target.js'

export interface Send<Req extends SendHeader> {
  readonly codec: RequestCodec<Req, SendMessageResponse>
  readonly request: Req
  /** Of the message, or of the first one of a batch. */
  readonly properties: string
  readonly deadlineMs: number
}

/** How one try went that did not store it for certain. */
interface Failure {
  readonly reason: string
  /** It may be stored all the same. */
  readonly isUnknown: boolean
  readonly reply: Reply<SendMessageResponse> | undefined
  readonly cause: unknown
}

/** Refusals after which another broker, or the same one later, may take it. */
const WORTH_ANOTHER_TRY: ReadonlySet<number> = new Set([
  ResponseCode.TOPIC_NOT_EXIST,
  ResponseCode.SERVICE_NOT_AVAILABLE,
  ResponseCode.SYSTEM_ERROR,
  ResponseCode.SYSTEM_BUSY,
  ResponseCode.NO_PERMISSION,
  ResponseCode.GO_AWAY,
])

/**
 * Gives the reply of the broker that stored it, or one that refuses it for good. Rejects with
 * NO_ROUTE, SEND_FAILED (it may be stored) or NOT_STORED (it is not).
 */
export function sendWithRetries<Req extends SendHeader>(
  cluster: Cluster,
  send: Send<Req>,
): Promise<Reply<SendMessageResponse>> {
  const key = keyOf(send)
  const { topic } = send.request
  if (key === undefined) return untilStored(cluster, send)
  return cluster.keyOrder.inTurn(topic, key, () => untilStored(cluster, send))
}

async function untilStored<Req extends SendHeader>(
  cluster: Cluster,
  send: Send<Req>,
): Promise<Reply<SendMessageResponse>> {
  const { clock } = cluster.ports
  const { codec, deadlineMs, properties, request } = send
  const startedAtMs = clock.monotonicMs()
  if (startedAtMs >= deadlineMs) {
    const reason = 'earlier messages of its key took all of its time'
    throw new ClientError('OVERLOADED', { request: codec.name, reason })
  }
  const sent: string[] = []
  const failures: Failure[] = []
  for (;;) {
    const target = await toward(cluster, request, { properties, sent })
    if (sent.includes(target.brokerName)) await sleep(clock, SAME_BROKER_RETRY_MS)
    sent.push(target.brokerName)
    const outcome = await tryOnce(cluster, send, target)
    if (!('isUnknown' in outcome)) return outcome
    failures.push(outcome)
    const isLate = clock.monotonicMs() + SAME_BROKER_RETRY_MS >= deadlineMs
    if (isLate || sent.length >= SEND_TRIES_MAX || !mayRepeat(send, outcome)) break
    await cluster.routes.refresh(request.topic).catch(unlessAway)
  }
  const last = failures.at(-1)
  const { code } = last?.reply ?? {}
  // The producer has its own ways with these: it waits for a busy broker, and knows what to advise.
  if (last?.reply !== undefined && failures.every(({ reply }) => reply?.code === code))
    if (code === ResponseCode.SYSTEM_BUSY || code === ResponseCode.TOPIC_NOT_EXIST)
      return last.reply
  const detail = {
    times: sent.length,
    costMs: Math.round(clock.monotonicMs() - startedAtMs),
    topic: request.topic,
    brokers: sent.join(', '),
    reason: last?.reason ?? '',
  }
  const isUnknown = failures.some((failure) => failure.isUnknown)
  throw new ClientError(isUnknown ? 'SEND_FAILED' : 'NOT_STORED', detail, { cause: last?.cause })
}

async function tryOnce<Req extends SendHeader>(
  cluster: Cluster,
  { codec, deadlineMs, request }: Send<Req>,
  { address, brokerName, numbers, queueId }: SendTarget,
): Promise<Reply<SendMessageResponse> | Failure> {
  const payload = { ...request, queueId }
  try {
    const reply = await askBroker(cluster, address, { codec, payload, deadlineMs })
    if (reply.payload !== undefined) {
      if (isHalf(request)) cluster.halves.learn(transactionOf(request, reply.payload), address)
      const route = numbers === undefined ? await cluster.routes.refresh(request.topic) : undefined
      const known = numbers ?? route?.numbers
      const number = known?.of({ brokerName, queueId: reply.payload.queueId })
      return { ...reply, payload: { ...reply.payload, queueId: number ?? queueId } }
    }
    if (!WORTH_ANOTHER_TRY.has(reply.code)) return reply
    const reason = `${responseCodeName(reply.code)} from ${brokerName}: ${reply.remark ?? ''}`
    const isUnknown = reply.code === ResponseCode.SYSTEM_ERROR
    return { reason, isUnknown, reply, cause: undefined }
  } catch (thrown) {
    if (!ClientError.is(thrown)) throw thrown
    const isUnknown = thrown.code === 'TIMEOUT' || thrown.code === 'DISCONNECTED'
    if (!isUnknown && thrown.code !== 'UNREACHABLE') throw thrown
    return { reason: thrown.message, isUnknown, reply: undefined, cause: thrown }
  }
}

const isHalf = ({ sysFlag }: SendHeader): boolean =>
  (sysFlag & MessageSysFlag.TRANSACTION_PREPARED_TYPE) !== 0

const transactionOf = ({ properties }: SendHeader, stored: SendMessageResponse): string =>
  stored.transactionId ??
  propertyOf(properties, MessageConst.PROPERTY_UNIQ_CLIENT_MESSAGE_ID_KEYIDX) ??
  ''

const keyOf = ({ properties }: { readonly properties: string }): string | undefined =>
  propertyOf(properties, MessageConst.PROPERTY_SHARDING_KEY)

const mayRepeat = <Req extends SendHeader>(send: Send<Req>, { isUnknown }: Failure): boolean =>
  !isUnknown || (keyOf(send) === undefined && !isHalf(send.request))

/** The route that is known serves as long as nobody says another. */
function unlessAway(thrown: unknown): void {
  if (!ClientError.is(thrown)) throw thrown
}
