/**
 * Sends until a broker has stored it, at most three times within its time, each time to another
 * broker where there is one, as RocketMQ's own producers do.
 *
 * A message that may have been stored is sent again only when it has no sharding key and is no
 * half: it is then in the cluster once or more often. With a key it could overtake what was sent
 * behind it, and a second half would be a second transaction; those are repeated only while it is
 * certain that nothing was stored.
 */
import { assert, sleep } from '@sagalog/kernel'
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
import { rejectedBy, type Reply } from '../connection.js'
import { ClientError } from '../errors.js'
import { isAway } from './away.js'
import { askBroker, type Cluster } from './cluster.js'
import { SAME_BROKER_RETRY_MS, SEND_TRIES_MAX } from './limits.js'
import type { ClusterRoute } from './route-table.js'
import { type SendTarget, toward } from './send-target.js'

export interface Send<Req extends SendHeader> {
  readonly codec: RequestCodec<Req, SendMessageResponse>
  readonly request: Req
  /** Of the message, or of the first one of a batch. */
  readonly properties: string
  readonly deadlineMs: number
}

/** A try that did not store it for certain. */
interface Failure {
  readonly reason: string
  /** It may be stored all the same. */
  readonly isUnknown: boolean
  /** Another try would end no better. */
  readonly isFinal: boolean
  readonly reply?: Reply<SendMessageResponse>
  readonly cause?: unknown
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

/** Apache's broker keeps every bit that it is given; the upper ones have a meaning to ours only. */
const APACHE_FLAGS = 0xffff

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
  const { codec, deadlineMs, request } = send
  const startedAtMs = clock.monotonicMs()
  if (startedAtMs >= deadlineMs) {
    const reason = 'earlier messages of its key took all of its time'
    throw new ClientError('OVERLOADED', { request: codec.name, reason })
  }
  const sent: string[] = []
  const failures: Failure[] = []
  for (;;) {
    const outcome = await tryOnce(cluster, send, sent)
    if (!('isFinal' in outcome)) return outcome
    const isLate = clock.monotonicMs() + SAME_BROKER_RETRY_MS >= deadlineMs
    if (isBusy(outcome) && !isLate) {
      // No failure: it is waited for, or another broker takes the message. Named once.
      if (sent.indexOf(sent.at(-1) ?? '') < sent.length - 1) sent.pop()
      continue
    }
    failures.push(outcome)
    if (isLate || failures.length >= SEND_TRIES_MAX || !mayRepeat(send, outcome)) break
    await cluster.routes.refresh(request.topic).catch(unlessAway)
  }
  const costMs = Math.round(clock.monotonicMs() - startedAtMs)
  return endOf(send, failures, { sent, costMs })
}

const isBusy = ({ reply }: Failure): boolean => reply?.code === ResponseCode.SYSTEM_BUSY

/** What becomes of a send whose tries have all failed: the last refusal, or an error for all. */
function endOf<Req extends SendHeader>(
  { codec, request }: Send<Req>,
  failures: readonly Failure[],
  { costMs, sent }: { readonly sent: readonly string[]; readonly costMs: number },
): Reply<SendMessageResponse> {
  const last = failures.at(-1)
  assert(last !== undefined, 'a send that was not stored has failed')
  const { cause, isFinal, reason, reply } = last
  const isUnknown = failures.some((failure) => failure.isUnknown)
  if (!isUnknown && isFinal && reply === undefined) throw cause
  if (!isUnknown && reply !== undefined) {
    // Not as a reply: the producer would try again, when other messages of its key may have left.
    if (failures.every(isBusy)) throw rejectedBy(codec.name, reply)
    const isNowhere = failures.every((one) => one.reply?.code === ResponseCode.TOPIC_NOT_EXIST)
    if (isFinal || isNowhere) return reply
  }
  const { topic } = request
  const detail = { times: sent.length, costMs, topic, brokers: sent.join(', '), reason }
  throw new ClientError(isUnknown ? 'SEND_FAILED' : 'NOT_STORED', detail, { cause })
}

/** One try, at a broker that was not `sent` to where there is one; it is added there. */
async function tryOnce<Req extends SendHeader>(
  cluster: Cluster,
  send: Send<Req>,
  sent: string[],
): Promise<Reply<SendMessageResponse> | Failure> {
  const { properties, request } = send
  try {
    const target = await toward(cluster, request, { properties, sent })
    if (sent.includes(target.brokerName)) await beforeAgain(cluster, target, send, sent.length)
    sent.push(target.brokerName)
    const reply = await storeAt(cluster, send, target)
    if (reply.payload !== undefined) return reply
    const reason = `${responseCodeName(reply.code)} from ${target.brokerName}: ${reply.remark ?? ''}`
    const isUnknown = reply.code === ResponseCode.SYSTEM_ERROR
    return { reason, isUnknown, isFinal: !WORTH_ANOTHER_TRY.has(reply.code), reply }
  } catch (thrown) {
    if (!ClientError.is(thrown)) throw thrown
    const isUnknown = thrown.state === 'unknown'
    return { reason: thrown.message, isUnknown, isFinal: !isAway(thrown), cause: thrown }
  }
}

/**
 * Waits before the same broker is tried again: a moment, or until one that is away is back. Its
 * share of the time that is left is as long as those of the tries that may follow.
 */
async function beforeAgain<Req extends SendHeader>(
  { brokers, ports }: Cluster,
  { address }: SendTarget,
  { deadlineMs }: Send<Req>,
  sent: number,
): Promise<void> {
  const broker = brokers.at(address)
  if (broker.isUp) return await sleep(ports.clock, SAME_BROKER_RETRY_MS)
  const leftMs = deadlineMs - ports.clock.monotonicMs() - SAME_BROKER_RETRY_MS
  const shareMs = Math.max(0, leftMs) / Math.max(1, SEND_TRIES_MAX - sent)
  await new Promise<void>((resolve) => {
    const over = (): void => {
      cancelTime()
      cancelUp()
      resolve()
    }
    const cancelTime = ports.clock.after(shareMs, over)
    const cancelUp = broker.onUp(over)
  })
}

async function storeAt<Req extends SendHeader>(
  cluster: Cluster,
  { codec, deadlineMs, request }: Send<Req>,
  { address, brokerName, numbers, queueId }: SendTarget,
): Promise<Reply<SendMessageResponse>> {
  const payload = { ...request, queueId, sysFlag: request.sysFlag & APACHE_FLAGS }
  const reply = await askBroker(cluster, address, { codec, payload, deadlineMs })
  if (reply.payload === undefined) return reply
  if (isHalf(request)) cluster.halves.learn(transactionOf(request, reply.payload), address)
  const route = numbers === undefined ? await refreshed(cluster, request.topic) : undefined
  const known = numbers ?? route?.numbers
  const number = known?.of({ brokerName, queueId: reply.payload.queueId })
  return { ...reply, payload: { ...reply.payload, queueId: number ?? queueId } }
}

/** It is stored: what a name server says of its topic, if any answers, can not change that. */
async function refreshed({ routes }: Cluster, topic: string): Promise<ClusterRoute | undefined> {
  try {
    return await routes.refresh(topic)
  } catch (thrown) {
    unlessAway(thrown)
    return undefined
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

const mayRepeat = <Req extends SendHeader>(
  send: Send<Req>,
  { isFinal, isUnknown }: Failure,
): boolean => !isFinal && (!isUnknown || (keyOf(send) === undefined && !isHalf(send.request)))

/** The route that is known serves as long as nobody says another. */
function unlessAway(thrown: unknown): void {
  if (!ClientError.is(thrown)) throw thrown
}
