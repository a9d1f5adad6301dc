/**
 * COMMIT: events, messages, acknowledgements and timers of one handler, in one frame or not at all.
 * Everything is checked against the folds before the first draft counts; the folds are those of the
 * sequenced log, so a commit sees all that came before it in the same gather.
 */
import {
  type Ack,
  type Commit,
  type CommitRefusal,
  type Draft,
  type GroupQueue,
  type LeaseRef,
  type OutgoingMessage,
  type QueueOffset,
  type StreamVersion,
  type TimerDraft,
} from '@sagalog/kernel'
import { ProtocolError, ResponseCode } from '@sagalog/protocol'
import {
  admitMessage,
  admitNumber,
  admitNumbers,
  admitText,
  bytesBelow,
  COUNT,
  writableTopic,
} from '../admit.js'
import { askedDelay, type Delay } from '../asked-delay.js'
import { appendDrafts, closingDrafts, streamRefusal } from '../appends.js'
import { type Call, type Core, type Refusal, refused } from '../core.js'
import { isSettled, type Place } from '../folds/places.js'
import { COMMIT_ITEMS_MAX, COMMIT_KEY_BYTES_MAX, PROPERTIES_BYTES_MAX } from '../limits.js'
import { SETTLED_ABOVE_MAX, TIMER_DELAY_MS_MAX } from '../limits.js'
import { placeGroupOf } from '../members.js'
import {
  chooseQueue,
  delayedDraft,
  messageDraft,
  Placement,
  propertiesOf,
  timerDraft,
} from '../messages.js'
import { ackDraft, type AckFact, timerEndDraft } from '../records/facts.js'
import { commitKeyDraft, type CommitKeyFact } from '../records/stream-facts.js'
import type { Decision } from '../sequence.js'

const DELAY = { low: 0, high: TIMER_DELAY_MS_MAX } as const

/** The messages of a commit with their property text, made once. */
interface Prepared {
  readonly sends: readonly Prepare[]
  readonly timers: readonly (Prepare & { readonly timer: TimerDraft })[]
}

interface Prepare {
  readonly message: OutgoingMessage
  readonly properties: string
  /** What the message itself asks for. */
  readonly delay: Delay | undefined
}

export function commit(call: Call, request: Commit): void {
  const prepared = admit(call.core, request)
  if ('code' in prepared) call.refuse(prepared)
  else call.sequence(() => decide(call, request, prepared), bytesOf(request))
}

function bytesOf({ appends, sends, timers }: Commit): number {
  let bytes = 0
  for (const { body } of sends) bytes += body.length
  for (const { message } of timers) bytes += message.body.length
  for (const { events } of appends) for (const { data } of events) bytes += data.length
  return bytes
}

function admit(core: Core, request: Commit): Prepared | Refusal {
  const problem =
    admitItems(request) ?? admitAppends(request) ?? admitTimers(request) ?? admitClosings(request)
  if (problem !== undefined) return problem
  const sends: Prepare[] = []
  for (const message of request.sends) {
    const prepared = prepare(core, message)
    if ('code' in prepared) return prepared
    sends.push(prepared)
  }
  const timers: (Prepare & { timer: TimerDraft })[] = []
  for (const timer of request.timers) {
    const prepared = prepare(core, timer.message)
    if ('code' in prepared) return prepared
    timers.push({ ...prepared, timer })
  }
  return { sends, timers }
}

function admitItems(request: Commit): Refusal | undefined {
  const { acks, appends, cancels, closings = [], leases, sends, timers } = request
  for (const items of [acks, appends, cancels, closings, leases, sends, timers]) {
    if (items.length <= COMMIT_ITEMS_MAX) continue
    const remark = `a commit has at most ${COMMIT_ITEMS_MAX} items of a sort, not ${items.length}`
    return { code: ResponseCode.MESSAGE_ILLEGAL, remark }
  }
  for (const { offset, queueId } of acks) {
    const problem = admitNumber('offset', offset, COUNT) ?? admitNumber('queueId', queueId, COUNT)
    if (problem !== undefined) return problem
  }
  return undefined
}

function admitAppends(request: Commit): Refusal | undefined {
  for (const { events, stream } of request.appends) {
    const problem = admitText('a stream', stream)
    if (problem !== undefined) return problem
    for (const { schema, type } of events) {
      const eventProblem = admitText('an event type', type) ?? admitNumbers({ schema }, COUNT)
      if (eventProblem !== undefined) return eventProblem
    }
  }
  return undefined
}

function admitTimers(request: Commit): Refusal | undefined {
  for (const { delayMs, id } of request.timers) {
    const problem = admitText('a timer', id) ?? admitNumbers({ delayMs }, DELAY)
    if (problem !== undefined) return problem
  }
  return undefined
}

function admitClosings({ closings = [], key }: Commit): Refusal | undefined {
  for (const { reason, state, stream } of closings) {
    const problem = admitText('a stream', stream) ?? admitText('a reason', reason)
    if (problem !== undefined) return problem
    if (state === 'open' || state === 'archived' || state === 'deleted') continue
    const remark = `a stream is open, archived or deleted, not ${String(state)}`
    return { code: ResponseCode.INVALID_PARAMETER, remark }
  }
  return key === undefined ? undefined : admitText('a commit', key, COMMIT_KEY_BYTES_MAX)
}

function prepare(core: Core, message: OutgoingMessage): Prepare | Refusal {
  try {
    const properties = propertiesOf(core, message)
    const propertiesBytes = bytesBelow(PROPERTIES_BYTES_MAX, properties)
    const sizes = { topic: message.topic, bodyBytes: message.body.length, propertiesBytes }
    const delay = askedDelay(properties, core.clock.wallMs())
    if (delay !== undefined && 'invalid' in delay) {
      const remark = `timer message illegal, the delay in ${delay.invalid} can't be kept`
      return { code: ResponseCode.MESSAGE_ILLEGAL, remark }
    }
    return admitMessage(core, sizes) ?? { message, properties, delay }
  } catch (error) {
    if (!ProtocolError.is(error)) throw error
    return { code: ResponseCode.INVALID_PARAMETER, remark: error.message }
  }
}

function decide(call: Call, request: Commit, prepared: Prepared): Decision {
  const { core } = call
  core.settings.hops.reach('broker.commit')
  const before = request.key === undefined ? undefined : core.state.commitKeys.get(request.key)
  if (before !== undefined) return repeated(call, before)
  const acknowledged = settle(core, request)
  if ('reason' in acknowledged) return refusedBy(call, acknowledged)
  const conflict = streamRefusal(core, request)
  if (conflict !== undefined) return refusedBy(call, conflict)

  const placement = new Placement(core.state.queues)
  const appended = appendDrafts(core, request.appends, placement)
  if ('refusal' in appended) return refused(call, appended.refusal)
  const drafts = [...appended.drafts]
  for (const send of prepared.sends) {
    const draft = sendDraft(core, send, placement)
    if ('refusal' in draft) return refused(call, draft.refusal)
    drafts.push(draft)
  }
  for (const { message, properties, timer } of prepared.timers) {
    const found = writableTopic(core, message.topic, 'message')
    if ('refusal' in found) return refused(call, found.refusal)
    const queueId = chooseQueue(core, found.topic, message.shardingKey)
    const content = { topic: message.topic, queueId, body: message.body, properties }
    drafts.push(timerDraft(core, { id: timer.id, delay: { forMs: timer.delayMs } }, content))
  }
  drafts.push(...cancelDrafts(core, request))
  const closings = closingDrafts(core, request)
  if ('refusal' in closings) return refused(call, closings.refusal)
  drafts.push(...closings)
  for (const fact of acknowledged.facts) drafts.push(ackDraft(fact))
  // The last one, so that its position is behind all that the commit wrote.
  const { versions } = appended
  if (request.key !== undefined) drafts.push(commitKeyDraft({ key: request.key, versions }))
  return { drafts, applied: answer(call, versions) }
}

function answer(call: Call, versions: readonly StreamVersion[]): Decision['applied'] {
  return (end, records) => {
    const last = records.at(-1)?.position
    const committed = last === undefined ? { versions } : { versions, position: last }
    call.answer({ committed }, end)
  }
}

/** The answer to a commit whose key is known: what the first one reported, whatever this holds. */
function repeated(call: Call, { position, versions }: CommitKeyFact): Decision {
  const committed = { versions, position, isRepeat: true }
  return { drafts: [], applied: (end) => call.answer({ committed }, end) }
}

function refusedBy(call: Call, refusal: CommitRefusal): Decision {
  return { drafts: [], applied: (end) => call.answer({ refused: refusal }, end) }
}

function sendDraft(
  core: Core,
  { delay, message, properties }: Prepare,
  placement: Placement,
): Draft | { refusal: Refusal } {
  const found = writableTopic(core, message.topic, 'message')
  if ('refusal' in found) return found
  const queueId = chooseQueue(core, found.topic, message.shardingKey)
  const content = { topic: message.topic, queueId, body: message.body, properties }
  if (delay !== undefined) return delayedDraft(core, delay, content)
  return messageDraft(core, content, placement.next(message.topic, queueId))
}

/** The ends of the timers that are cancelled; one set anew by the same commit stays. */
function cancelDrafts(core: Core, request: Commit): Draft[] {
  const drafts: Draft[] = []
  for (const id of new Set(request.cancels)) {
    const timer = core.state.timers.get(id)
    if (timer !== undefined) drafts.push(timerEndDraft({ id, position: timer.position }))
  }
  return drafts
}

/** What a commit acknowledges in one queue of a group. */
interface Settling {
  readonly queue: GroupQueue
  /** As the place is kept: it tells the instances of a broadcasting group apart. */
  readonly fact: AckFact & { readonly offsets: QueueOffset[] }
  readonly taken: Set<QueueOffset>
  readonly place: Place | undefined
  readonly nextOffset: number
}

/** The acknowledgements as facts, one for each place; or why they can't be taken. */
function settle(core: Core, request: Commit): { facts: AckFact[] } | CommitRefusal {
  const nowMs = core.clock.monotonicMs()
  const queues = new Map<string, Settling>()
  for (const lease of request.leases) {
    const found = core.members.find(lease, nowMs)
    if (found === undefined) return { reason: 'stale-lease', queue: queueOf(lease) }
    queues.set(keyOf(lease), settlingOf(core, lease, placeGroupOf(lease.group, found.member)))
  }
  // Most acknowledgements stand behind others of their queue.
  let last: Settling | undefined
  for (const ack of request.acks) {
    const settling: Settling | undefined =
      last !== undefined && isOf(last.queue, ack) ? last : queues.get(keyOf(ack))
    if (settling === undefined) return { reason: 'stale-lease', queue: queueOf(ack) }
    const problem = ackProblem(settling, ack)
    if (problem !== undefined) return problem
    settling.taken.add(ack.offset)
    settling.fact.offsets.push(ack.offset)
    last = settling
  }
  const facts: AckFact[] = []
  for (const { fact } of queues.values()) if (fact.offsets.length > 0) facts.push(fact)
  return { facts }
}

function settlingOf(core: Core, queue: GroupQueue, group: string): Settling {
  const { queueId, topic } = queue
  return {
    queue,
    fact: { group, topic, queueId, offsets: [] },
    taken: new Set(),
    place: core.state.places.get(group, topic, queueId),
    nextOffset: core.state.queues.nextOffset(topic, queueId),
  }
}

const isOf = ({ group, queueId, topic }: GroupQueue, ack: Ack): boolean =>
  ack.queueId === queueId && ack.topic === topic && ack.group === group

function ackProblem({ nextOffset, place, taken }: Settling, ack: Ack): CommitRefusal | undefined {
  if (place === undefined) return { reason: 'stale-lease', queue: queueOf(ack) }
  if (isSettled(place, ack.offset) || taken.has(ack.offset))
    return { reason: 'already-settled', ack: ackOf(ack) }
  if (ack.offset >= nextOffset) {
    const name = `${ack.topic}/${ack.queueId}`
    return { reason: 'not-allowed', detail: `${name} has no message at offset ${ack.offset}` }
  }
  if (ack.offset !== place.watermark && place.settled.size >= SETTLED_ABOVE_MAX) {
    const name = `${ack.topic}/${ack.queueId}`
    const detail = `${name}: ${SETTLED_ABOVE_MAX} offsets above the watermark are settled`
    return { reason: 'not-allowed', detail }
  }
  return undefined
}

const keyOf = (queue: Omit<LeaseRef, 'epoch'>): string =>
  `${queue.group}\u0000${queue.topic}\u0000${queue.queueId}`

const queueOf = (queue: Omit<LeaseRef, 'epoch'>): Omit<LeaseRef, 'epoch'> => ({
  group: queue.group,
  topic: queue.topic,
  queueId: queue.queueId,
})

const ackOf = (ack: Ack): Ack => ({ ...queueOf(ack), offset: ack.offset })
