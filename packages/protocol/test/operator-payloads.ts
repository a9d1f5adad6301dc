/** The requests of operators: arbitraries of each, as in payloads.ts. */
import * as fc from 'fast-check'
import { deleteTopic, describeGroup, describeTopic } from '../src/index.js'
import { listGroups, listTopics } from '../src/index.js'
import { anyOffset, count, count32, record, text } from './arbitraries.js'
import { type Case, caseOf } from './request-case.js'

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
    record({ isDeleted: fc.boolean(), neededBy: readers }),
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
]
