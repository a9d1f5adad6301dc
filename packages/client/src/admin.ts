/**
 * What an operator asks of a broker and changes in it: topics, groups and where they stand, single
 * messages, dead letters, half messages. Requests and their answers; nothing is kept here.
 */
import {
  type DeleteTopicResponse,
  deleteTopic,
  describeGroup,
  type DescribeGroupResponse,
  describeRetention,
  type DescribeRetentionResponse,
  describeTopic,
  type DescribeTopicResponse,
  type GroupSummary,
  listGroups,
  listTimers,
  listTopics,
  nothing,
  ResponseCode,
  type TimerSummary,
  type TopicSummary,
} from '@sagalog/protocol'
import { position } from '@sagalog/kernel'
import { type Connection, rejectedBy } from './connection.js'
import { type DeadLetters, deadLettersOf } from './dead-letters.js'
import { LISTED_AT_ONCE } from './limits.js'
import { findMessage, type MessagePlace } from './message-lookup.js'
import { type OffsetReset, type ResetQueue, resetOffsets } from './offsets.js'
import type { ReceivedMessage } from './received.js'
import { ensureTopic, type EnsureTopicOptions } from './topic.js'
import { type UndecidedHalves, undecidedHalves } from './undecided.js'

/** All calls reject with the ClientErrors of any request; REJECTED for a name that can't be one. */
export interface Admin {
  /** All topics, by their names. */
  topics(): Promise<readonly TopicSummary[]>
  /** One topic with its queues and readers; undefined when there is none. */
  topic(name: string): Promise<DescribeTopicResponse | undefined>
  /** False when it was there; then it keeps its queues: others would tear the keys apart. */
  createTopic(name: string, options?: EnsureTopicOptions): Promise<boolean>
  /**
   * Takes a topic of messages out of service. Not done, and the groups named, while a consumer of a
   * group reads it or, unless `force`, a group has not settled all of it or something is on its way
   * to it. Its messages stay in the log with the places of the groups: made again, it has both.
   * Rejects with REJECTED for a topic that is not there, and for one that holds events.
   */
  deleteTopic(name: string, options?: { readonly force?: boolean }): Promise<DeleteTopicResponse>
  /** All consumer groups, by their names. */
  groups(): Promise<readonly GroupSummary[]>
  /** One group, its consumers and its lag by queue; undefined when there is none. */
  group(name: string): Promise<DescribeGroupResponse | undefined>
  reset(reset: OffsetReset): Promise<readonly ResetQueue[]>
  /** Undefined when no message stands there. */
  message(place: MessagePlace): Promise<ReceivedMessage | undefined>
  /** The messages that wait for their time, the next first; at most `max`, or 1,000. */
  timers(options?: {
    readonly topic?: string
    readonly max?: number
  }): Promise<readonly TimerSummary[]>
  /** What is let go, what went since the broker was opened, and who holds it up. */
  retention(): Promise<DescribeRetentionResponse>
  deadLetters(group: string): DeadLetters
  readonly halves: UndecidedHalves
}

export function adminOf(connection: Connection): Admin {
  return {
    async topics() {
      const found: TopicSummary[] = []
      for (let after = ''; ;) {
        const request = { after, maxTopics: LISTED_AT_ONCE }
        const { hasMore, topics } = await connection.call(listTopics, request)
        found.push(...topics)
        after = topics.at(-1)?.topic ?? after
        if (!hasMore || topics.length === 0) return found
      }
    },
    topic: (name) => topicOf(connection, name),
    async createTopic(name, options = {}) {
      const isThere = (await topicOf(connection, name)) !== undefined
      await ensureTopic(connection, name, options)
      return !isThere
    },
    deleteTopic: (topic, { force = false } = {}) =>
      connection.call(deleteTopic, { topic, isForced: force }),
    async groups() {
      const found: GroupSummary[] = []
      for (let after = ''; ;) {
        const request = { after, maxGroups: LISTED_AT_ONCE }
        const { groups, hasMore } = await connection.call(listGroups, request)
        found.push(...groups)
        after = groups.at(-1)?.group ?? after
        if (!hasMore || groups.length === 0) return found
      }
    },
    async group(group) {
      const reply = await connection.request(describeGroup, { group })
      if (reply.code === ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST) return undefined
      if (reply.payload === undefined) throw rejectedBy(describeGroup.name, reply)
      return reply.payload
    },
    reset: (reset) => resetOffsets(connection, reset),
    message: (place) => findMessage(connection, place),
    timers: (options = {}) => timersOf(connection, options),
    retention: () => connection.call(describeRetention, nothing),
    deadLetters: (group) => deadLettersOf(connection, group),
    halves: undecidedHalves(connection),
  }
}

async function topicOf(
  connection: Connection,
  topic: string,
): Promise<DescribeTopicResponse | undefined> {
  const reply = await connection.request(describeTopic, { topic })
  if (reply.code === ResponseCode.TOPIC_NOT_EXIST) return undefined
  if (reply.payload === undefined) throw rejectedBy(describeTopic.name, reply)
  return reply.payload
}

async function timersOf(
  connection: Connection,
  { max = LISTED_AT_ONCE, topic = '' }: { readonly topic?: string; readonly max?: number },
): Promise<readonly TimerSummary[]> {
  const found: TimerSummary[] = []
  while (found.length < max) {
    const last = found.at(-1)
    const after = { afterDueAtMs: last?.dueAtMs ?? 0, afterPosition: last?.position ?? position(0) }
    const maxTimers = Math.min(max - found.length, LISTED_AT_ONCE)
    const { hasMore, timers } = await connection.call(listTimers, { topic, ...after, maxTimers })
    found.push(...timers)
    if (!hasMore || timers.length === 0) break
  }
  return found
}
