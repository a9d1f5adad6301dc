/**
 * Acknowledgements. RocketMQ keeps nothing but one offset of a queue, so they are settled here and
 * its broker is told a little later. A retry or a dead letter is stored by the broker, and settled
 * when that has succeeded: after a crash in between it is there twice.
 *
 * There is no commit of several things on RocketMQ: what else a transaction holds is refused.
 */
import type { Ack, Commit, CommitRefusal } from '@sagalog/kernel'
import {
  type CommitResponse,
  deadLetterTopic,
  DELAY_LEVELS_MS,
  MessageConst,
  ResponseCode,
  retryTopic,
  sendBack,
} from '@sagalog/protocol'
import type { Reply } from '../../connection.js'
import { askBroker, type Cluster } from '../cluster.js'
import { unsupported } from '../refusals.js'
import type { SessionQueue } from '../session-queue.js'

export async function commit(
  cluster: Cluster,
  request: Commit,
  deadlineMs: number,
): Promise<Reply<CommitResponse>> {
  const refusal = refusalOf(cluster, request)
  if (refusal !== undefined) return answer({ refused: refusal })
  const level = returnLevel(request)
  if (level === undefined && !hasOnlyAcks(request)) throw unsupported('more than acknowledgements')
  const [ack] = request.acks
  if (level !== undefined && ack !== undefined) {
    const reply = await giveBack(cluster, ack, { level, deadlineMs })
    if (reply.code !== ResponseCode.SUCCESS) return { ...reply, payload: undefined }
    // Meanwhile the queue may have gone to somebody else, who gets the message once more.
    const late = refusalOf(cluster, request)
    if (late !== undefined) return answer({ refused: late })
  }
  for (const settled of request.acks) queueOf(cluster, settled)?.place.settle(settled.offset)
  return answer({ committed: { versions: [] } })
}

const answer = (payload: CommitResponse): Reply<CommitResponse> => ({
  code: ResponseCode.SUCCESS,
  payload,
})

const queueOf = (
  { groups }: Cluster,
  { group, queueId, topic }: Pick<Ack, 'group' | 'queueId' | 'topic'>,
): SessionQueue | undefined => groups.of(group)?.at(topic, queueId)

function refusalOf(cluster: Cluster, { acks, leases }: Commit): CommitRefusal | undefined {
  for (const queue of leases)
    if (queueOf(cluster, queue)?.epoch !== queue.epoch) return { reason: 'stale-lease', queue }
  for (const ack of acks) {
    const queue = queueOf(cluster, ack)
    if (queue === undefined) return { reason: 'stale-lease', queue: ack }
    // One offset is all that RocketMQ keeps of a queue: what lies before it would be settled too.
    if (!queue.place.isFetched(ack.offset)) throw unsupported('an acknowledgement without a pull')
    if (queue.place.positionOf(ack.offset) === undefined) return { reason: 'already-settled', ack }
  }
  return undefined
}

const hasOnlyAcks = ({ acks, appends, cancels, closings = [], sends, timers }: Commit): boolean =>
  acks.length > 0 && [appends, cancels, closings, sends, timers].every(({ length }) => length === 0)

const DEAD = -1

/** The delay level by which the one message goes back to the broker; undefined if it does not. */
function returnLevel(request: Commit): number | undefined {
  const { acks, sends, timers } = request
  const [ack] = acks
  const rest = hasOnlyAcks({ ...request, sends: [], timers: [] })
  if (!rest || ack === undefined || acks.length + sends.length + timers.length !== 2)
    return undefined
  const [letter] = sends
  const [timer] = timers
  const isMoved = (letter ?? timer?.message)?.properties ?? {}
  if (!(MessageConst.PROPERTY_RECONSUME_TIME in isMoved)) return undefined
  if (letter?.topic === deadLetterTopic(ack.group)) return DEAD
  if (timer?.message.topic === retryTopic(ack.group)) return levelOf(timer.delayMs)
  return undefined
}

/** The shortest level that is not shorter than the delay, or the last. */
function levelOf(delayMs: number): number {
  const index = DELAY_LEVELS_MS.findIndex((levelMs) => levelMs >= delayMs)
  return index < 0 ? DELAY_LEVELS_MS.length : index + 1
}

/** The consumer counts the tries; the broker must not decide before it does. */
const TRIES_MAX = 0x7fff_ffff

async function giveBack(
  cluster: Cluster,
  ack: Ack,
  { deadlineMs, level }: { readonly level: number; readonly deadlineMs: number },
): Promise<Reply<unknown>> {
  const queue = queueOf(cluster, ack)
  const position = queue?.place.positionOf(ack.offset)
  const address = queue && cluster.routes.addressOf(queue.at.brokerName)
  if (position === undefined || address === undefined) {
    const remark = 'the queue is not held any more'
    return { code: ResponseCode.SYSTEM_ERROR, remark, payload: undefined }
  }
  const payload = {
    position,
    group: ack.group,
    delayLevel: level,
    originTopic: ack.topic,
    maxReconsumeTimes: TRIES_MAX,
  }
  return await askBroker(cluster, address, { codec: sendBack, payload, deadlineMs })
}
