/**
 * PULL_MESSAGE: stored messages from an offset on, as they stand in the log. Only messages that are
 * safe at the broker's durability are given, so the answer leaves at once; an empty one may be
 * held.
 */
import { type LogRecord, position, type Position, queueOffset } from '@sagalog/kernel'
import { type PullMessageRequest, type PullMessageResponse, ResponseCode } from '@sagalog/protocol'
import { admitNumbers, COUNT, INT32 } from '../admit.js'
import type { Call, Refusal } from '../core.js'
import type { Queue } from '../folds/queues.js'
import {
  PULL_BYTES_MAX,
  PULL_MESSAGES_MAX,
  PULL_SUSPEND_MS_MAX,
  SETTLED_ABOVE_MAX,
} from '../limits.js'
import { type Lease, placeGroupOf } from '../members.js'
import { storedMessageStart } from '../records/event-record.js'

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
  if (tryPull(call, request)) return
  heldPulls.hold(request, {
    forMs: Math.min(suspendMs, PULL_SUSPEND_MS_MAX),
    isGrowing: state.queues.nextOffset(request.topic, queueId) > offset,
    retry: () => tryPull(call, request),
    timeUp: () => void tryPull(call, { ...request, suspendMs: 0 }),
  })
}

/** Answers, or says that the pull has to wait. */
function tryPull(call: Call, request: PullMessageRequest): boolean {
  // A peer that is gone needs no answer; that frees the held pull.
  if (!call.session.isOpen) return true
  const lease = leaseOf(call, request)
  const problem = admitPull(call, request, lease)
  if (problem !== undefined) {
    call.refuse(problem)
    return true
  }
  const { log, settings, state } = call.core
  call.core.settings.hops.reach('broker.pull')
  const queue = state.queues.find(request.topic, request.queueId)
  const safe = queue === undefined ? 0 : safeCount(queue, log.watermark(settings.durability))
  const offset = request.queueOffset
  if (offset < safe && queue !== undefined) {
    const end = Math.min(safe, offset + Math.min(request.maxMessages, PULL_MESSAGES_MAX))
    const last = Math.min(end, pauseAt(call, request, lease))
    if (last > offset) {
      give(call, request, { queue, safe, last })
      return true
    }
  }
  if (offset > safe && offset > state.queues.nextOffset(request.topic, request.queueId)) {
    answer(call, { next: safe, max: safe, code: ResponseCode.PULL_OFFSET_MOVED, messages: [] })
    return true
  }
  if (request.suspendMs > 0) return false
  answer(call, { next: offset, max: safe, code: ResponseCode.PULL_NOT_FOUND, messages: [] })
  return true
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
  if (epoch === undefined || lease !== undefined) return undefined
  const remark = `the lease of ${topic}/${queueId} with epoch ${epoch} is over`
  return { code: ResponseCode.STALE_LEASE, remark }
}

/** Messages of the queue that are safe: a binary search, because positions ascend. */
function safeCount(queue: Queue, watermark: Position): number {
  const { positions } = queue
  const { length } = positions
  if (length === 0 || positions.at(length - 1) < watermark) return length
  let low = 0
  let high = length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if (positions.at(middle) < watermark) low = middle + 1
    else high = middle
  }
  return low
}

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
  /** One after the last offset to give. */
  readonly last: number
}

function give(call: Call, request: PullMessageRequest, found: Found): void {
  const { log } = call.core
  const bytesMax = Math.min(request.maxBytes, PULL_BYTES_MAX)
  const messages: Buffer[] = []
  let bytes = 0
  for (let offset = request.queueOffset as number; offset < found.last; offset += 1) {
    const record = log.peek(found.queue.positions.at(offset))
    if (record === undefined) {
      if (messages.length > 0) break
      void giveFromDisk(call, request, found)
      return
    }
    const message = messageOf(record)
    if (messages.length > 0 && bytes + message.length > bytesMax) break
    messages.push(message)
    bytes += message.length
  }
  answerFound(call, request, found, messages)
}

/** What memory does not have any more is read, one record after another. */
async function giveFromDisk(call: Call, request: PullMessageRequest, found: Found): Promise<void> {
  const { log } = call.core
  const bytesMax = Math.min(request.maxBytes, PULL_BYTES_MAX)
  const messages: Buffer[] = []
  let bytes = 0
  try {
    for (let offset = request.queueOffset as number; offset < found.last; offset += 1) {
      const at = found.queue.positions.at(offset)
      const message = messageOf(log.peek(at) ?? (await log.read(at)))
      if (messages.length > 0 && bytes + message.length > bytesMax) break
      messages.push(message)
      bytes += message.length
    }
  } catch (error) {
    call.refuse({ code: ResponseCode.SYSTEM_ERROR, remark: String(error) })
    return
  }
  answerFound(call, request, found, messages)
}

/** The bytes of the message; shared with the log, so a receiver in process must not change them. */
function messageOf(record: LogRecord): Buffer {
  return record.source.subarray(storedMessageStart(record), record.end)
}

function answerFound(
  call: Call,
  request: PullMessageRequest,
  found: Found,
  messages: readonly Buffer[],
): void {
  const next = request.queueOffset + messages.length
  // For the account of early replies: just behind the start of the newest record that is shown.
  const shows = position(found.queue.positions.at(next - 1) + 1)
  answer(call, { next, max: found.safe, code: ResponseCode.SUCCESS, messages, shows })
}

function answer(
  call: Call,
  given: {
    next: number
    max: number
    code: number
    messages: readonly Buffer[]
    shows?: Position
  },
): void {
  const { log, settings } = call.core
  const response: PullMessageResponse = {
    nextBeginOffset: queueOffset(given.next),
    minOffset: queueOffset(0),
    maxOffset: queueOffset(given.max),
    messages: given.messages,
  }
  call.answer(response, log.watermark(settings.durability), given)
}
