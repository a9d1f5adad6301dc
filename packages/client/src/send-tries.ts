/**
 * The tries of one send: until the broker has it, refuses it, or the time is up. Each send has a
 * number by which a Sagalog broker knows it again, so one whose answer got lost is made again and
 * stored once. A broker that keeps no numbers is asked once: nothing is repeated there.
 *
 * Invariants: all tries of a send are the same message for the same queue. Sends of one key keep
 * the order in which they were made: each try names the one before it that has not ended. A
 * rejection says 'unchanged' only when no try was lost.
 */
import { type Clock, sleep } from '@sagalog/kernel'
import {
  listTopics,
  type NumberedSend,
  type RequestCodec,
  ResponseCode,
  type SendHeader,
  type SendMessageResponse,
} from '@sagalog/protocol'
import { type Connection, rejectedBy, type Reply } from './connection.js'
import { ClientError } from './errors.js'
import { BUSY_RETRY_MS } from './limits.js'

/** The broker has forgotten the producer, and no try was lost: the send may be numbered anew. */
export const FORGOTTEN = Symbol('forgotten')

export interface SendTry<Req> {
  readonly codec: RequestCodec<Req, SendMessageResponse>
  readonly request: Req
  readonly send: NumberedSend
  /** The sends of one key, in the order in which they were made. */
  readonly lane: readonly NumberedSend[] | undefined
  /** Of the monotonic clock. */
  readonly deadlineMs: number
  /** What came of a try that was made already. */
  readonly outcome?: TryOutcome | undefined
}

export type TryOutcome =
  | { readonly reply: Reply<SendMessageResponse> }
  | { readonly thrown: unknown }

export interface Taken {
  readonly code: number
  readonly payload: SendMessageResponse
}

/** Rejects with ClientError, or gives FORGOTTEN. */
export async function sendUntilTaken<Req extends SendHeader>(
  connection: Connection,
  { codec, deadlineMs, lane, outcome, request, send }: SendTry<Req>,
): Promise<Taken | typeof FORGOTTEN> {
  let made = outcome
  const { clock } = connection.ports
  /** The first try of which nobody knows whether it was stored. */
  let lost: ClientError | undefined
  for (;;) {
    let reply: Reply<SendMessageResponse>
    try {
      const before = made
      made = undefined
      if (before === undefined) {
        const timeoutMs = tryTimeoutMs(connection, deadlineMs)
        reply = await connection.request(codec, inLane(request, lane, send), { timeoutMs })
      } else if ('thrown' in before) throw before.thrown
      else reply = before.reply
    } catch (thrown) {
      if (!isLost(thrown)) throw lost ?? thrown
      lost ??= thrown
      if (await isRepeatable(connection, deadlineMs)) continue
      throw lost
    }
    const { code, payload } = reply
    // Some codes mean that it is stored but a replica was late; those carry the payload as well.
    if (payload !== undefined) return { code, payload }
    if (code === ResponseCode.PRODUCER_FORGOTTEN && lost === undefined) return FORGOTTEN
    const isLate = clock.monotonicMs() + BUSY_RETRY_MS >= deadlineMs
    if (isLate || !mayBeTakenLater(code)) throw lost ?? refusedBy(codec.name, request.topic, reply)
    await sleep(clock, BUSY_RETRY_MS)
  }
}

/** Milliseconds that one try may take. */
export function tryTimeoutMs(connection: Connection, deadlineMs: number): number {
  const leftMs = deadlineMs - connection.ports.clock.monotonicMs()
  return Math.max(1, Math.min(leftMs, connection.requestTimeoutMs))
}

/** The request as it is made now: behind the send of its key that has not ended. */
export function inLane<Req extends SendHeader>(
  request: Req,
  lane: readonly NumberedSend[] | undefined,
  send: NumberedSend,
): Req {
  const behind = lane === undefined ? undefined : numberBefore(lane, send)
  return behind === undefined ? request : { ...request, behind }
}

/** The number of the send of the same key that must be stored before this one. */
function numberBefore(lane: readonly NumberedSend[], send: NumberedSend): number | undefined {
  const before = lane[lane.indexOf(send) - 1]
  return before?.producer === send.producer ? before.number : undefined
}

const isLost = (thrown: unknown): thrown is ClientError =>
  ClientError.is(thrown) && thrown.state === 'unknown'

/** Nothing was stored, and what was in the way may pass: no room for a while, or a restart. */
const mayBeTakenLater = (code: number): boolean =>
  code === ResponseCode.SYSTEM_BUSY || code === ResponseCode.SERVICE_NOT_AVAILABLE

/** Makes a request that needs a route, until there is one or the time is up. */
export async function requestUntilRouted<Req>(
  clock: Clock,
  makeRequest: () => Promise<Req>,
  deadlineMs: number,
): Promise<Req> {
  for (;;) {
    try {
      return await makeRequest()
    } catch (thrown) {
      // Only a lookup whose answer got lost is made again; what the broker said stands.
      const isOver = !ClientError.is(thrown) || thrown.code !== 'NO_ROUTE' || !isLost(thrown.cause)
      if (isOver || clock.monotonicMs() >= deadlineMs) throw thrown
    }
  }
}

function refusedBy(name: string, topic: string, reply: Reply<unknown>): ClientError {
  if (reply.code !== ResponseCode.TOPIC_NOT_EXIST) return rejectedBy(name, reply)
  const reason = reply.remark ?? 'the broker does not know it'
  return new ClientError('NO_ROUTE', { topic, reason })
}

/** What each connection's broker said; asked for the first time when a send was lost. */
const numbering = new WeakMap<Connection, Promise<boolean>>()

/** True when there is time for another try, and the broker stores repeated sends once. */
async function isRepeatable(connection: Connection, deadlineMs: number): Promise<boolean> {
  const { clock } = connection.ports
  while (clock.monotonicMs() < deadlineMs && !connection.isClosed) {
    const asking = numbering.get(connection) ?? keepsNumbers(connection)
    numbering.set(connection, asking)
    try {
      return await beforeDeadline(clock, asking, deadlineMs)
    } catch (thrown) {
      if (!ClientError.is(thrown)) throw thrown
      // A cluster's connection has its own ways to repeat, and refuses what is ours.
      if (!isLost(thrown)) return false
      if (numbering.get(connection) === asking) numbering.delete(connection)
    }
  }
  return false
}

/** Any request of our own tells: other brokers do not know its code. */
async function keepsNumbers(connection: Connection): Promise<boolean> {
  const { code } = await connection.request(listTopics, { after: '', maxTopics: 0 })
  return code !== ResponseCode.REQUEST_CODE_NOT_SUPPORTED
}

/** False when the time is up first. */
function beforeDeadline(
  clock: Clock,
  asking: Promise<boolean>,
  deadlineMs: number,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(Math.max(0, deadlineMs - clock.monotonicMs()), () => resolve(false))
    asking.then(resolve, reject).finally(cancel)
  })
}
