/**
 * The broker in numbers, for whoever exports them: totals that only grow, and what stands right
 * now. Read from the folds when it is asked for: but for the tally, nothing is counted on the path
 * of a message.
 */
import {
  type BrokerStatusResponse,
  deadLetterTopic,
  type DescribeRetentionResponse,
  retryTopic,
} from '@sagalog/protocol'
import type { Core } from './core.js'
import {
  deadLetterCount,
  groupMembers,
  groupNames,
  type Standing,
  standings,
  storedAt,
} from './group-standing.js'
import { METRICS_AGES_MAX } from './limits.js'
import { statusOf } from './requests/broker-status.js'
import { retentionOf } from './requests/describe-retention.js'
import type { Traffic } from './tally.js'

export interface QueueMetrics {
  readonly topic: string
  readonly queueId: number
  /** Messages that it ever had; a deleted topic has no row. */
  readonly messages: number
  /** Messages that it has now. */
  readonly kept: number
}

/** One row for a topic that something is on its way to. */
export interface TopicMetrics {
  readonly topic: string
  /** Messages that wait for their time, and half messages without a decision. */
  readonly timers: number
  readonly halves: number
}

export interface GroupMetrics {
  readonly group: string
  /** Consumers that are connected. */
  readonly members: number
  /** Messages that came again through its retry topic, ever. */
  readonly retries: number
  /** Dead letters, ever, and those that are neither sent again nor discarded. */
  readonly deadLetters: number
  readonly deadLettersWaiting: number
}

/** One row for a group and a topic; broadcasting instances are added up. */
export interface LagMetrics {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  readonly lag: number
  /** Of the oldest message that is not settled, milliseconds; 0 without lag. */
  readonly oldestAgeMs: number
}

export interface BrokerMetrics extends Omit<BrokerStatusResponse, 'queues'> {
  readonly connections: number
  readonly queues: readonly QueueMetrics[]
  readonly topics: readonly TopicMetrics[]
  readonly retention: DescribeRetentionResponse
  readonly groups: readonly GroupMetrics[]
  readonly lags: readonly LagMetrics[]
  readonly traffic: readonly Traffic[]
}

/** Ages of at most METRICS_AGES_MAX queues are looked up; the rest has age 0. */
export async function metricsOf(core: Core, connections: number): Promise<BrokerMetrics> {
  const { queues: _, ...status } = statusOf(core)
  const standing = [...standings(core)]
  const now = {
    ...status,
    connections,
    queues: queuesOf(core),
    topics: topicsOf(core),
    retention: retentionOf(core),
    groups: groupNames(core).map((group) => groupOf(core, group)),
    traffic: core.tally.all(),
  }
  return { ...now, lags: await lagsOf(core, standing) }
}

function queuesOf(core: Core): QueueMetrics[] {
  const rows: QueueMetrics[] = []
  for (const { topic, queueId, positions } of core.state.queues.all())
    if (core.state.topics.get(topic) !== undefined)
      rows.push({
        topic,
        queueId,
        messages: positions.length,
        kept: positions.length - positions.start,
      })
  return rows
}

function topicsOf({ state: { halves, timers } }: Core): TopicMetrics[] {
  const names = new Set([...timers.topicNames(), ...halves.topicNames()])
  return [...names].map((topic) => ({
    topic,
    timers: timers.countOf(topic),
    halves: halves.countOf(topic),
  }))
}

function stored(core: Core, topic: string): number {
  const queues = core.state.topics.get(topic)?.readQueues ?? 0
  let count = 0
  for (let queueId = 0; queueId < queues; queueId += 1)
    count += core.state.queues.nextOffset(topic, queueId)
  return count
}

function groupOf(core: Core, group: string): GroupMetrics {
  return {
    group,
    members: groupMembers(core, group).length,
    retries: stored(core, retryTopic(group)),
    deadLetters: stored(core, deadLetterTopic(group)),
    deadLettersWaiting: deadLetterCount(core, group),
  }
}

async function lagsOf(core: Core, standing: readonly Standing[]): Promise<LagMetrics[]> {
  const rows = new Map<string, { -readonly [Field in keyof LagMetrics]: LagMetrics[Field] }>()
  let looks = 0
  for (const { group, lag, queueId, topic, watermark: offset } of standing) {
    const key = `${group}\u0000${topic}\u0000${queueId}`
    const row = rows.get(key) ?? { group, topic, queueId, lag: 0, oldestAgeMs: 0 }
    rows.set(key, row)
    row.lag += lag
    if (lag === 0 || looks >= METRICS_AGES_MAX) continue
    looks += 1
    const oldestMs = await storedAt(core, { topic, queueId, offset })
    const ageMs = oldestMs === undefined ? 0 : core.clock.wallMs() - oldestMs
    row.oldestAgeMs = Math.max(row.oldestAgeMs, Math.round(ageMs))
  }
  return [...rows.values()]
}
