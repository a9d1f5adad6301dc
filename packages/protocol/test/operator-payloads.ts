/** The requests of operators: arbitraries of each, as in payloads.ts. */
import { position } from '@sagalog/kernel'
import * as fc from 'fast-check'
import { deleteTopic, describeGroup, describeRetention, describeTopic } from '../src/index.js'
import { listGroups, listTimers, listTopics } from '../src/index.js'
import { anyOffset, count, count32, record, text } from './arbitraries.js'
import { type Case, caseOf } from './request-case.js'

const anyPosition = count.map(position)
const topicSummary = {
  topic: text,
  kind: fc.constantFrom('message' as const, 'event' as const),
  readQueues: count32,
  writeQueues: count32,
  perm: count32,
  messages: count,
}
const readers = fc.array(record({ group: text, lag: count, isLive: fc.boolean() }), {
  maxLength: 3,
})
const groupSummary = {
  group: text,
  kind: fc.constantFrom('leased' as const, 'assigned' as const),
  lag: count,
  deadLetters: count,
}
const emptyQueue = record({ queueId: count32, minOffset: anyOffset, maxOffset: anyOffset })
const filledQueue = record({
  queueId: count32,
  minOffset: anyOffset,
  maxOffset: anyOffset,
  firstStoredAtMs: count,
  lastStoredAtMs: count,
})
const standing = {
  topic: text,
  queueId: count32,
  watermark: anyOffset,
  settledAbove: count,
  maxOffset: anyOffset,
  lag: count,
}
const aged = { ...standing, instance: text, oldestStoredAtMs: count, oldestAgeMs: count }

const timer = { topic: text, dueAtMs: count, position: anyPosition }
const retention = {
  isOn: fc.boolean(),
  bounds: fc.oneof(
    fc.constant({}),
    record({ maxAgeMs: count, maxBytes: count, capBytes: count }),
    record({ capBytes: count }),
  ),
  expiresUnread: fc.boolean(),
  start: anyPosition,
  logBytes: count,
  closedSegments: count,
  runs: count,
  messagesLetGo: count,
  segmentsRetired: count,
  segmentsRewritten: count,
  bytesFreed: count,
  heldUp: fc.array(record({ group: text, topic: text, queueId: count32, offset: anyOffset }), {
    maxLength: 2,
  }),
  passedOver: fc.array(record({ group: text, messages: count }), { maxLength: 2 }),
}

export const operatorCases: readonly Case[] = [
  caseOf(
    listTopics,
    record({ after: text, maxTopics: count32 }),
    record({ topics: fc.array(record(topicSummary), { maxLength: 3 }), hasMore: fc.boolean() }),
  ),
  caseOf(
    describeTopic,
    record({ topic: text }),
    record({
      ...topicSummary,
      queues: fc.array(fc.oneof(emptyQueue, filledQueue), { maxLength: 3 }),
      groups: readers,
    }),
  ),
  caseOf(
    deleteTopic,
    record({ topic: text, isForced: fc.boolean() }),
    record({ isDeleted: fc.boolean(), neededBy: readers, timers: count, halves: count }),
  ),
  caseOf(
    listGroups,
    record({ after: text, maxGroups: count32 }),
    record({
      groups: fc.array(record({ ...groupSummary, members: count32 }), { maxLength: 3 }),
      hasMore: fc.boolean(),
    }),
  ),
  caseOf(
    describeGroup,
    record({ group: text }),
    record({
      ...groupSummary,
      members: fc.array(
        record({
          instance: text,
          mode: fc.constantFrom('clustering' as const, 'broadcasting' as const),
          topics: fc.array(text, { maxLength: 2 }),
        }),
        { maxLength: 3 },
      ),
      queues: fc.array(fc.oneof(record(standing), record(aged)), { maxLength: 3 }),
    }),
  ),
  caseOf(
    listTimers,
    record({
      topic: text,
      afterDueAtMs: count,
      afterPosition: anyPosition,
      maxTimers: count32,
    }),
    record({
      timers: fc.array(fc.oneof(record(timer), record({ ...timer, name: text })), {
        maxLength: 3,
      }),
      hasMore: fc.boolean(),
    }),
  ),
  caseOf(
    describeRetention,
    fc.constant({}),
    fc.oneof(record(retention), record({ ...retention, lastRunAtMs: count, lastProblem: text })),
  ),
]
