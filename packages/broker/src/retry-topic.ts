/**
 * Bringing a message to its group again: by the group's retry topic after a delay, or, when its
 * retries are used up, by the group's dead-letter topic at once. The copy says where it came from
 * and how often it was tried; the original stays where it is.
 */
import type { Draft, LogRecord } from '@sagalog/kernel'
import {
  deadLetterTopic,
  decodeProperties,
  decodeStoredMessage,
  delayLevelMs,
  encodeProperties,
  MessageConst,
  MessageSysFlag,
  offsetId,
  RETRY_LEVEL_BASE,
  retryTopic,
} from '@sagalog/protocol'
import type { Core } from './core.js'
import { delayedDraft, messageDraft, Placement } from './messages.js'
import { storedMessageStart } from './records/event-record.js'
import { topicDraft, type TopicFact } from './records/facts.js'

/** RocketMQ's `retryMaxTimes`. */
export const RETRIES_MAX = 16
const QUEUES = 1
const PERM_READ_WRITE = 6

export interface Retry {
  readonly group: string
  /** The message that was not handled. */
  readonly record: LogRecord
  /** -1 dead letter, 0 by the number of tries, else RocketMQ's level. */
  readonly delayLevel: number
  readonly retriesMax: number
}

/** The topic of a group's retries or dead letters as it is made; undefined when it is there. */
export function derivedTopic(core: Core, name: string): TopicFact | undefined {
  if (core.state.topics.get(name) !== undefined) return undefined
  const queues = { readQueues: QUEUES, writeQueues: QUEUES }
  return { name, kind: 'message', ...queues, perm: PERM_READ_WRITE }
}

/** The drafts that bring the message again, the topic's own among them when it is missing. */
export function retryDrafts(core: Core, retry: Retry): Draft[] {
  const { delayLevel, group, record, retriesMax } = retry
  const message = decodeStoredMessage(record.source, storedMessageStart(record))
  const isDead = delayLevel < 0 || message.reconsumeTimes >= retriesMax
  const level = delayLevel > 0 ? delayLevel : RETRY_LEVEL_BASE + message.reconsumeTimes
  const properties = decodeProperties(message.properties)
  const id = offsetId(core.settings.address, record.position)
  setIfAbsent(properties, MessageConst.PROPERTY_RETRY_TOPIC, message.topic)
  setIfAbsent(properties, MessageConst.PROPERTY_ORIGIN_MESSAGE_ID, id)
  if (isDead) {
    const origin = properties.get(MessageConst.PROPERTY_RETRY_TOPIC) ?? message.topic
    setIfAbsent(properties, MessageConst.PROPERTY_DLQ_ORIGIN_TOPIC, origin)
    setIfAbsent(properties, MessageConst.PROPERTY_DLQ_ORIGIN_MESSAGE_ID, id)
    properties.delete(MessageConst.PROPERTY_DELAY_TIME_LEVEL)
  } else properties.set(MessageConst.PROPERTY_DELAY_TIME_LEVEL, String(level))

  const topic = isDead ? deadLetterTopic(group) : retryTopic(group)
  const made = derivedTopic(core, topic)
  const content = {
    topic,
    queueId: 0,
    body: message.body,
    properties: encodeProperties(properties),
    flag: message.flag,
    sysFlag: message.sysFlag & ~(MessageSysFlag.TRANSACTION_MASK | MessageSysFlag.SEQUENCED),
    bornTimestampMs: message.bornTimestampMs,
    bornHost: message.bornHost,
    reconsumeTimes: message.reconsumeTimes + 1,
  }
  const draft = isDead
    ? messageDraft(core, content, new Placement(core.state.queues).next(topic, 0))
    : delayedDraft(core, { forMs: delayLevelMs(level) }, content)
  return made === undefined ? [draft] : [topicDraft(made), draft]
}

function setIfAbsent(properties: Map<string, string>, name: string, value: string): void {
  if (!properties.has(name)) properties.set(name, value)
}
