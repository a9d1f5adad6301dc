/**
 * PULL_MESSAGE: stored messages from an offset on, as they stand in the log. Only messages that are
 * safe at the broker's durability are given, so the answer leaves at once; an empty one may be
 * held.
 */
import { type LogRecord, position, type Position, queueOffset } from '@sagalog/kernel'
import { type PullMessageRequest, type PullMessageResponse, ResponseCode } from '@sagalog/protocol'
import { admitNumbers, COUNT, INT32 } from '../admit.js'
import { LogError } from '@sagalog/log-core'
import type { Call, Refusal } from '../core.js'
import type { Queue } from '../folds/queues.js'
import type { GroupQueueName } from '../folds/resets.js'
import { admitPlace, placeDrafts, withinQueue } from '../consumer-place.js'
import { admitAssigned } from '../group-kind.js'
import {
  FILTER_SCAN_MAX,
  PULL_BYTES_MAX,
  PULL_MESSAGES_MAX,
  PULL_SUSPEND_MS_MAX,
  SETTLED_ABOVE_MAX,
} from '../limits.js'
import { type Lease, placeGroupOf } from '../members.js'
import { storedMessageStart } from '../records/event-record.js'
import { resetDraft } from '../records/facts.js'
import { type TagFilter, tagFilter } from '../tag-filter.js'

/** So many messages of a queue within so many bytes are worth a longer read. */
const DENSE_MESSAGES = 8
const DENSE_BYTES = 64 * 1024

/** One pull while it waits: where it looks next moves past what its subscription does not take. */
interface Pull {
  readonly request: PullMessageRequest
  next: number
  isHeld: boolean
}

export function pullMessage(call: Call, request: PullMessageRequest): void {
  const { maxBytes, maxMessages, queueId, queueOffset: offset, suspendMs } = request
  const problem =
    admitNumbers({ queueId }, INT32) ??
    admitNumbers({ offset, maxMessages, maxBytes, suspendMs }, COUNT)
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  const { heldPulls, state } = call.core
  const pull: Pull = { request, next: offset, isHeld: false }
  commitOnTheWay(call, request)
  if (tryPull(call, pull)) return
  pull.isHeld = true
  heldPulls.hold(request, {
    forMs: Math.min(suspendMs, PULL_SUSPEND_MS_MAX),
    isGrowing: state.queues.nextOffset(request.topic, queueId) > offset,
    retry: () => tryPull(call, pull),
    timeUp: () => void tryPull(call, { ...pull, request: { ...request, suspendMs: 0 } }),
  })
}

/** A client of RocketMQ says with its pull how far its group is; nothing is answered for it. */
function commitOnTheWay(call: Call, request: PullMessageRequest): void {
  const { core } = call
  const { commitOffset, consumerGroup: group, epoch, queueId, topic } = request
  if (commitOffset === undefined || epoch !== undefined) return
  const queue = { group, topic, queueId }
  core.sequencer.submit({
    decide: () => {
      const isRefused = admitPlace(core, queue) !== undefined
      const drafts = isRefused
        ? []
        : placeDrafts(core, queue, withinQueue(core, queue, commitOffset))
      return { drafts, applied: () => undefined }
    },
    // The next pull says it again.
    refuse: () => undefined,
  })
}

/** Answers, or says that the pull has to wait. */
function tryPull(call: Call, pull: Pull): boolean {
  // A peer that is gone needs no answer; that frees the held pull.
  if (!call.session.isOpen) return true
  const { request } = pull
  const lease = leaseOf(call, request)
  const problem = admitPull(call, request, lease)
  const filter = problem ?? filterOf(call, request)
  if (typeof filter === 'object') {
    call.refuse(filter)
    return true
  }
  if (wasReset(call, request)) return true
  const { log, settings, state } = call.core
  call.core.settings.hops.reach('broker.pull')
  const queue = state.queues.find(request.topic, request.queueId)
  const safe = queue === undefined ? 0 : safeCount(queue, log.watermark(settings.durability))
  const offset = pull.next
  const min = queue?.positions.start ?? 0
  if (offset < min) {
    movedToStart(call, request)
    return true
  }
  if (offset < safe && queue !== undefined) {
    const last = Math.min(safe, pauseAt(call, request, lease))
    if (last > offset && give(call, pull, { queue, safe, last, filter })) return true
  }
  if (offset > safe && offset > state.queues.nextOffset(request.topic, request.queueId)) {
    answer(call, {
      ...{ next: safe, min, max: safe, messages: [] },
      code: ResponseCode.PULL_OFFSET_MOVED,
    })
    return true
  }
  if (request.suspendMs > 0) return false
  answer(call, {
    ...{ next: pull.next, min, max: safe, messages: [] },
    code: ResponseCode.PULL_NOT_FOUND,
  })
  return true
}

/** What was asked for was let go: the queue begins later. */
function movedToStart(call: Call, { queueId, topic }: PullMessageRequest): void {
  const { log, state } = call.core
  const first = queueOffset(state.queues.firstOffset(topic, queueId))
  const maxOffset = queueOffset(state.queues.nextOffset(topic, queueId))
  const response = { nextBeginOffset: first, minOffset: first, maxOffset, messages: [] }
  // It tells of the record that let them go, which may not be safe yet.
  call.answer(response, log.watermark('memory'), { code: ResponseCode.PULL_OFFSET_MOVED })
}

/**
 * Answers a group that an operator moved with its new offset, until it asks there: an answer may be
 * lost, and so may the client.
 */
function wasReset(call: Call, request: PullMessageRequest): boolean {
  const { core } = call
  const { consumerGroup: group, epoch, queueId, topic } = request
  if (epoch !== undefined) return false
  const queue = { group, topic, queueId }
  const next = core.state.resets.get(queue)
  if (next === undefined) return false
  if (next === request.queueOffset) {
    resetDone(call, queue)
    return false
  }
  const max = queueOffset(core.state.queues.nextOffset(topic, queueId))
  const response = {
    nextBeginOffset: next,
    minOffset: queueOffset(core.state.queues.firstOffset(topic, queueId)),
    maxOffset: max,
    messages: [],
  }
  // It tells of the record that moved the place, which may not be safe yet.
  call.answer(response, core.log.watermark('memory'), { code: ResponseCode.PULL_OFFSET_MOVED })
  return true
}

/** From here on the client says where its group stands. */
function resetDone({ core }: Call, queue: GroupQueueName): void {
  core.sequencer.submit({
    decide: () => {
      const offset = core.state.resets.get(queue)
      const drafts = offset === undefined ? [] : [resetDraft({ ...queue, offset, isDone: true })]
      return { drafts, applied: () => undefined }
    },
    // The next pull says it again.
    refuse: () => undefined,
  })
}

/**
 * What the group of RocketMQ's client subscribed to. Sagalog's own consumers settle each message
 * under their lease, also those they don't want, so nothing is kept from them.
 */
function filterOf(call: Call, request: PullMessageRequest): TagFilter | Refusal {
  const { consumerGroup: group, epoch, topic } = request
  if (epoch !== undefined) return undefined
  const said = call.core.assigned.subscription(group, topic)
  const expression = request.subscription ?? said?.expression
  if (expression === undefined) {
    const remark = `the consumer's subscription not exist, group: ${group}, topic: ${topic}`
    return { code: ResponseCode.SUBSCRIPTION_NOT_EXIST, remark }
  }
  const type = request.subscription === undefined ? said?.expressionType : request.expressionType
  if (type === undefined || type === 'TAG' || type === '') return tagFilter(expression)
  const remark = `The broker does not support consumer to filter message by ${type}`
  return { code: ResponseCode.SYSTEM_ERROR, remark }
}

/** The live lease under which our own consumers read; RocketMQ's have none. */
function leaseOf(call: Call, request: PullMessageRequest): Lease | undefined {
  const { clock, members } = call.core
  const { consumerGroup: group, topic, queueId, epoch } = request
  if (epoch === undefined) return undefined
  return members.find({ group, topic, queueId, epoch }, clock.monotonicMs())
}

function admitPull(
  call: Call,
  request: PullMessageRequest,
  lease: Lease | undefined,
): Refusal | undefined {
  const { state } = call.core
  const { topic, queueId, epoch } = request
  const found = state.topics.get(topic)
  if (found === undefined) {
    const remark = `topic[${topic}] not exist, apply first please!`
    return { code: ResponseCode.TOPIC_NOT_EXIST, remark }
  }
  if (queueId < 0 || queueId >= found.readQueues) {
    const remark = `queueId[${queueId}] is illegal, topic:[${topic}] topicConfig.readQueueNums:[${found.readQueues}]`
    return { code: ResponseCode.INVALID_PARAMETER, remark }
  }
  // Whoever only reads may read in any name; a place is another matter.
  if (request.commitOffset !== undefined) return admitAssigned(call.core, request.consumerGroup)
  if (epoch === undefined) return undefined
  if (lease !== undefined) return undefined
  const remark = `the lease of ${topic}/${queueId} with epoch ${epoch} is over`
  return { code: ResponseCode.STALE_LEASE, remark }
}

/** Messages of the queue that are safe: a binary search, because positions ascend. */
const safeCount = ({ positions }: Queue, watermark: Position): number =>
  positions.countBelow(watermark)

/** Where delivery pauses because too much above the watermark is settled already. */
function pauseAt(call: Call, request: PullMessageRequest, lease: Lease | undefined): number {
  const { state } = call.core
  const { consumerGroup: group, topic, queueId } = request
  if (lease === undefined) return Number.MAX_SAFE_INTEGER
  const place = state.places.get(placeGroupOf(group, lease.member), topic, queueId)
  return place === undefined ? Number.MAX_SAFE_INTEGER : place.watermark + SETTLED_ABOVE_MAX
}

interface Found {
  readonly queue: Queue
  readonly safe: number
  /** One after the last offset that may be given. */
  readonly last: number
  readonly filter: TagFilter
}

/** Messages taken so far, and where the search goes on. */
class Taking {
  readonly messages: Buffer[] = []
  next: number
  readonly request: PullMessageRequest
  private readonly found: Found
  private readonly scanEnd: number
  private bytes = 0

  constructor(pull: Pull, found: Found) {
    this.request = pull.request
    this.found = found
    this.next = pull.next
    this.scanEnd = Math.min(found.last, pull.next + FILTER_SCAN_MAX)
  }

  /** Position of the next record to look at; undefined when it is enough. */
  get wanted(): Position | undefined {
    const most = Math.min(this.request.maxMessages, PULL_MESSAGES_MAX)
    const isEnough = this.messages.length >= most || this.next >= this.scanEnd
    // Between two reads the queue may have let go what comes next.
    const isGone = this.next < this.found.queue.positions.start
    return isEnough || isGone ? undefined : this.found.queue.positions.at(this.next)
  }

  /** True when the next messages stand so near each other that one read finds many of them. */
  get isDense(): boolean {
    const { positions } = this.found.queue
    const to = this.next + DENSE_MESSAGES
    if (to >= this.found.last) return false
    return positions.at(to) - positions.at(this.next) <= DENSE_BYTES
  }

  /** False when the message does not fit any more. */
  take(record: LogRecord): boolean {
    const { filter } = this.found
    if (filter === undefined || filter(record.source, storedMessageStart(record))) {
      const message = messageOf(record)
      const bytesMax = Math.min(this.request.maxBytes, PULL_BYTES_MAX)
      if (this.messages.length > 0 && this.bytes + message.length > bytesMax) return false
      this.messages.push(message)
      this.bytes += message.length
    }
    this.next += 1
    return true
  }
}

/** Answers with what is there; false when there was nothing for it and it may wait for more. */
function give(call: Call, pull: Pull, found: Found): boolean {
  const { log } = call.core
  const taking = new Taking(pull, found)
  for (let at = taking.wanted; at !== undefined; at = taking.wanted) {
    const record = log.peek(at)
    if (record === undefined) {
      if (taking.messages.length > 0) break
      void giveFromDisk(call, taking, found)
      return true
    }
    if (!taking.take(record)) break
  }
  if (taking.messages.length === 0 && pull.isHeld && pull.request.suspendMs > 0) {
    pull.next = taking.next
    return false
  }
  answerFound(call, taking, found)
  return true
}

/** What memory does not have any more is read, with what stands behind it where that is wanted. */
async function giveFromDisk(call: Call, taking: Taking, found: Found): Promise<void> {
  const { log } = call.core
  try {
    for (let at = taking.wanted; at !== undefined; at = taking.wanted)
      if (!taking.take(log.peek(at) ?? (await log.read(at, { ahead: taking.isDense })))) break
  } catch (error) {
    const isGone = LogError.is(error) && error.code === 'POSITION_UNKNOWN'
    if (!isGone || taking.next >= found.queue.positions.start) {
      call.fail(error)
      return
    }
  }
  if (taking.messages.length === 0 && taking.next < found.queue.positions.start)
    movedToStart(call, taking.request)
  else answerFound(call, taking, found)
}

/** The bytes of the message; shared with the log, so a receiver in process must not change them. */
function messageOf(record: LogRecord): Buffer {
  return record.source.subarray(storedMessageStart(record), record.end)
}

function answerFound(call: Call, taking: Taking, found: Found): void {
  const { messages, next } = taking
  // For the account of early replies: just behind the start of the newest record that was seen.
  const { positions } = found.queue
  const shows = position((next > positions.start ? positions.at(next - 1) : 0) + 1)
  const code = messages.length === 0 ? ResponseCode.PULL_RETRY_IMMEDIATELY : ResponseCode.SUCCESS
  const { consumerGroup, topic } = taking.request
  if (messages.length > 0) call.core.tally.delivered(consumerGroup, topic, messages)
  answer(call, { next, min: positions.start, max: found.safe, code, messages, shows })
}

function answer(
  call: Call,
  given: {
    next: number
    min: number
    max: number
    code: number
    messages: readonly Buffer[]
    shows?: Position
  },
): void {
  const { log, settings } = call.core
  const response: PullMessageResponse = {
    nextBeginOffset: queueOffset(given.next),
    minOffset: queueOffset(given.min),
    maxOffset: queueOffset(given.max),
    messages: given.messages,
  }
  call.answer(response, log.watermark(settings.durability), given)
}
