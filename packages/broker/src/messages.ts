/**
 * Drafts of records that hold a stored message, and the places they get in their queues. The bytes
 * in the log are the bytes on the wire; only fields that the broker owns are set here.
 */
import type { Draft, LogRecord, OutgoingMessage, Position, QueueOffset } from '@sagalog/kernel'
import { assert, queueOffset } from '@sagalog/kernel'
import {
  decodeStoredMessage,
  encodeStoredMessage,
  MessageSysFlag,
  type MessageToStore,
  outgoingProperties,
  queueForKey,
  type SendHeader,
  storedMessageBytes,
  withoutProperty,
} from '@sagalog/protocol'
import type { Delay } from './asked-delay.js'
import type { Core } from './core.js'
import type { QueuesFold } from './folds/queues.js'
import { storedMessageStart } from './records/event-record.js'
import type { TopicFact } from './records/facts.js'
import { encodeTimerAttributes, ownTimerId } from './records/timer-record.js'

const { SEQUENCED, TRANSACTION_MASK } = MessageSysFlag
const TRANSACTION_PREPARED = MessageSysFlag.TRANSACTION_PREPARED_TYPE
const TRANSACTION_COMMIT = MessageSysFlag.TRANSACTION_COMMIT_TYPE

/** The offsets that one decision gives out: each queue goes on where the last message ended. */
export class Placement {
  private readonly queues: QueuesFold
  /** The queue of the last message, and its next offset: most decisions have one queue only. */
  private topic = ''
  private queueId = -1
  private offset = 0
  /** The next offsets of other queues. */
  private others: Map<string, number> | undefined

  constructor(queues: QueuesFold) {
    this.queues = queues
  }

  next(topic: string, queueId: number): QueueOffset {
    if (topic !== this.topic || queueId !== this.queueId) this.turnTo(topic, queueId)
    this.offset += 1
    return queueOffset(this.offset - 1)
  }

  private turnTo(topic: string, queueId: number): void {
    if (this.queueId >= 0) {
      this.others ??= new Map()
      this.others.set(`${this.topic}\u0000${this.queueId}`, this.offset)
    }
    const left = this.others?.get(`${topic}\u0000${queueId}`)
    this.topic = topic
    this.queueId = queueId
    this.offset = left ?? this.queues.nextOffset(topic, queueId)
  }
}

/** The queue of a message: by its key, or by turns. */
export function chooseQueue(core: Core, topic: TopicFact, shardingKey: string | undefined): number {
  if (shardingKey !== undefined) return queueForKey(shardingKey, topic.writeQueues)
  return core.turn() % topic.writeQueues
}

/** The property text of a message that a commit sends. */
export function propertiesOf(core: Core, message: OutgoingMessage): string {
  return outgoingProperties(message, core.uniqueId())
}

/** What the caller decides about a stored message; the broker fills in the rest. */
export interface Content {
  readonly topic: string
  readonly queueId: number
  readonly body: Buffer
  readonly properties: string
  readonly flag?: number
  readonly sysFlag?: number
  readonly bornTimestampMs?: number
  /** Where it was sent from; this broker unless told. */
  readonly bornHost?: Buffer | undefined
  readonly reconsumeTimes?: number
  readonly preparedTransactionOffset?: number
}

/** The content of a message of a send; `place` is what the broker knows better than the sender. */
export function sentContent(
  header: SendHeader,
  message: { readonly body: Buffer; readonly flag: number; readonly properties: string },
  place: { readonly queueId: number; readonly bornHost: Buffer | undefined },
): Content {
  return {
    topic: header.topic,
    queueId: place.queueId,
    body: message.body,
    properties: message.properties,
    flag: message.flag,
    sysFlag: header.sysFlag,
    bornTimestampMs: header.bornTimestampMs,
    bornHost: place.bornHost,
    reconsumeTimes: header.reconsumeTimes,
  }
}

export function storedFields(
  core: Core,
  content: Content,
  offset: QueueOffset,
  nowMs: number = core.clock.wallMs(),
): MessageToStore {
  const { settings } = core
  return {
    topic: content.topic,
    queueId: content.queueId,
    queueOffset: offset,
    flag: content.flag ?? 0,
    sysFlag: content.sysFlag ?? 0,
    bornTimestampMs: content.bornTimestampMs ?? nowMs,
    bornHost: content.bornHost ?? settings.address,
    storeTimestampMs: nowMs,
    storeHost: settings.address,
    reconsumeTimes: content.reconsumeTimes ?? 0,
    preparedTransactionOffset: content.preparedTransactionOffset ?? 0,
    body: content.body,
    properties: content.properties,
  }
}

class MessageDraft implements Draft {
  readonly kind = 'message'
  readonly bytes: number
  private readonly fields: MessageToStore

  constructor(fields: MessageToStore) {
    this.fields = fields
    this.bytes = storedMessageBytes(fields)
  }

  encodeAt(target: Buffer, at: number, position: Position): void {
    const end = encodeStoredMessage(this.fields, target, at, position)
    assert(end - at === this.bytes, 'a message takes the bytes that were counted')
  }
}

/** A message that is visible in its queue at `offset`. */
export function messageDraft(
  core: Core,
  content: Content,
  offset: QueueOffset,
  nowMs: number = core.clock.wallMs(),
): Draft {
  return new MessageDraft(storedFields(core, content, offset, nowMs))
}

/** A half message: stored for its real topic and queue, in no queue yet. */
export function halfDraft(core: Core, content: Content): Draft {
  const fields = storedFields(core, content, queueOffset(0))
  const sysFlag = (fields.sysFlag & ~TRANSACTION_MASK) | TRANSACTION_PREPARED
  return {
    kind: 'half',
    bytes: storedMessageBytes(fields),
    encodeAt(target, at, position) {
      // Its number among the halves is its position: unique, and known wherever the record is.
      const half = { ...fields, sysFlag, queueOffset: queueOffset(position) }
      encodeStoredMessage(half, target, at, position)
    },
  }
}

/** Its copy is not the send any more that its producer numbered. */
const contentOf = (message: ReturnType<typeof decodeStoredMessage>): Content => ({
  topic: message.topic,
  queueId: message.queueId,
  body: message.body,
  properties: message.properties,
  flag: message.flag,
  sysFlag: message.sysFlag & ~SEQUENCED,
  bornTimestampMs: message.bornTimestampMs,
  bornHost: message.bornHost,
  reconsumeTimes: message.reconsumeTimes,
})

/** The visible message of a half that is committed. */
export function committedDraft(core: Core, half: LogRecord, placement: Placement): Draft {
  const message = decodeStoredMessage(half.source, half.start)
  const content: Content = {
    ...contentOf(message),
    properties: withoutProperty(message.properties, 'TRAN_MSG'),
    sysFlag: (message.sysFlag & ~(TRANSACTION_MASK | SEQUENCED)) | TRANSACTION_COMMIT,
    preparedTransactionOffset: half.position,
  }
  return messageDraft(core, content, placement.next(content.topic, content.queueId))
}

/** The stored message of a half as a producer gets it in a check-back. */
export function stillHalf(half: LogRecord): Buffer {
  return Buffer.from(half.source.subarray(half.start, half.end))
}

/** The message of a timer that is due. */
export function dueMessageDraft(core: Core, timer: LogRecord, placement: Placement): Draft {
  const message = decodeStoredMessage(timer.source, storedMessageStart(timer))
  const content = contentOf(message)
  return messageDraft(core, content, placement.next(content.topic, content.queueId))
}

/** A message that waits in the log until it is due. */
export function timerDraft(
  core: Core,
  timer: { readonly id: string; readonly delay: Delay },
  content: Content,
): Draft {
  const fields = storedFields(core, content, queueOffset(0))
  const { delay, id } = timer
  const dueAtMs = 'forMs' in delay ? core.clock.wallMs() + delay.forMs : delay.untilMs
  const attributes = encodeTimerAttributes({ id, dueAtMs: Math.max(0, Math.ceil(dueAtMs)) })
  return {
    kind: 'timer',
    bytes: attributes.length + storedMessageBytes(fields),
    encodeAt(target, at, position) {
      attributes.copy(target, at)
      encodeStoredMessage(fields, target, at + attributes.length, position)
    },
  }
}

/** A message that its sender wants to be delayed: a timer of the broker's own. */
export function delayedDraft(core: Core, delay: Delay, content: Content): Draft {
  const id = ownTimerId('untilMs' in delay, core.uniqueId())
  return timerDraft(core, { id, delay }, content)
}
