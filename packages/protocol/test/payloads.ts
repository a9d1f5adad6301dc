/** For every request codec: arbitraries of its request and of its response. */
import * as fc from 'fast-check'
import { encodeStoredMessage, storedMessageBytes } from '../src/index.js'
import type { Allocation, QueueName, BrokerRoute, MessageToStore } from '../src/index.js'
import {
  brokerStatus,
  checkTransaction,
  clusterInfo,
  commit,
  createTopic,
  endTransaction,
} from '../src/index.js'
import { clientPlaces, resetClientOffset, runningInfo } from '../src/index.js'
import { groupMembers, lockQueues, maxOffset, minOffset } from '../src/index.js'
import { queryConsumerOffset, resetOffset, searchOffset, sendBack } from '../src/index.js'
import { sendBatch, unlockQueues, updateConsumerOffset, viewMessage } from '../src/index.js'
import { heartbeat, leaseQueues, listHalves, listStreams } from '../src/index.js'
import { notifyMembers, pullMessage } from '../src/index.js'
import { readEvents, readStream } from '../src/index.js'
import { nothing, sendMessage, topicRoute, unregister } from '../src/index.js'
import { anyCommit, anyCommitResponse, anyEpoch, anyOffset, anyPosition } from './arbitraries.js'
import {
  anyClosed,
  anyMetadata,
  anyVersion,
  bytes,
  count,
  count32,
  int32,
  name,
  record,
} from './arbitraries.js'
import { text } from './arbitraries.js'
import { operatorCases } from './operator-payloads.js'
import { type Case, caseOf } from './request-case.js'

/** Each with a name of its own, as a name server has them. */
const furtherBrokers = fc.uniqueArray(
  record({
    brokerName: text.map((suffix) => `b-${suffix}`),
    brokerAddress: text,
    readQueues: count32,
    writeQueues: count32,
    perm: count32,
  }),
  { maxLength: 4, selector: ({ brokerName }) => brokerName },
)
const named = ({ brokerAddress, brokerName }: BrokerRoute) => ({ brokerName, brokerAddress })
const none = fc.constant(nothing)
const decision = fc.constantFrom('commit', 'rollback', 'unknown')
const host = fc
  .oneof(
    fc.uint8Array({ minLength: 8, maxLength: 8 }),
    fc.uint8Array({ minLength: 20, maxLength: 20 }),
  )
  .map((array) => Buffer.from(array))

export const toStore: fc.Arbitrary<MessageToStore> = record({
  topic: fc.oneof(name, fc.string({ unit: 'binary', minLength: 1, maxLength: 120 })),
  queueId: count32,
  queueOffset: anyOffset,
  flag: int32,
  sysFlag: int32.map((flag) => flag & ~0x30),
  bornTimestampMs: count,
  bornHost: host,
  storeTimestampMs: count,
  storeHost: host,
  reconsumeTimes: count32,
  preparedTransactionOffset: fc.oneof(fc.constant(-1), count),
  properties: text,
  body: bytes,
})

export function storedBytes(message: MessageToStore, physicalOffset: number): Buffer {
  const target = Buffer.alloc(storedMessageBytes(message))
  encodeStoredMessage(message, target, 0, physicalOffset)
  return target
}

export const storedMessage = fc
  .tuple(toStore, count)
  .map(([message, physicalOffset]) => storedBytes(message, physicalOffset))

const send = {
  producerGroup: text,
  topic: text,
  defaultTopic: text,
  defaultTopicQueueNums: int32,
  queueId: int32,
  sysFlag: int32,
  bornTimestampMs: count,
  flag: int32,
  properties: text,
  reconsumeTimes: count32,
}
const sendNames = Object.keys(send) as (keyof typeof send)[]
const sent = record(
  { msgId: text, queueId: count32, queueOffset: anyOffset, transactionId: text },
  { requiredKeys: ['msgId', 'queueId', 'queueOffset'] },
)
const topicQueue = { topic: text, queueId: count32 }
const namedQueue = { ...topicQueue, brokerName: text }
const queuesOfClient = record({
  clientId: text,
  consumerGroup: text,
  queues: fc.array(record(namedQueue), { maxLength: 4 }),
})
/** Each queue once. */
const once = {
  maxLength: 4,
  selector: ({ brokerName, queueId, topic }: QueueName) =>
    JSON.stringify([brokerName, queueId, topic]),
}
const placedQueues = fc.uniqueArray(record({ ...namedQueue, offset: anyOffset }), once)
const runningQueue = record({
  ...namedQueue,
  commitOffset: anyOffset,
  cachedMessages: count,
  isLocked: fc.boolean(),
  isDropped: fc.boolean(),
})
const anOffset = record({ offset: anyOffset })

const anyAllocation: fc.Arbitrary<Allocation> = fc.oneof(
  fc.constantFrom('AVG', 'AVG_BY_CIRCLE', 'CONSISTENT_HASH').map((strategy) => ({ strategy })),
  record({ strategy: fc.constant('MACHINE_ROOM'), rooms: fc.array(text, { maxLength: 3 }) }),
  record({
    strategy: fc.constant('CONFIG'),
    queues: fc.array(record(namedQueue, { requiredKeys: ['topic', 'queueId'] }), { maxLength: 3 }),
  }),
)
const held = { topic: text, queueId: count32, epoch: anyEpoch }
const storedEvent = {
  version: anyVersion,
  type: text,
  schema: fc.nat({ max: 0xffff_ffff }),
  data: bytes,
  metadata: anyMetadata,
  position: anyPosition,
  storedAtMs: count,
}
const mark = { tranStateTableOffset: count, commitLogOffset: anyPosition }

export const cases: readonly Case[] = [
  caseOf(
    sendMessage,
    record(
      { ...send, maxReconsumeTimes: int32, behind: count, body: bytes },
      { requiredKeys: [...sendNames, 'body'] },
    ),
    sent,
  ),
  caseOf(
    sendBatch,
    record(
      {
        ...send,
        maxReconsumeTimes: int32,
        messages: fc.array(record({ flag: int32, properties: text, body: bytes }), {
          maxLength: 4,
        }),
      },
      { requiredKeys: [...sendNames, 'messages'] },
    ),
    sent,
  ),
  caseOf(
    sendBack,
    record(
      {
        position: anyPosition,
        group: text,
        delayLevel: int32,
        originTopic: text,
        maxReconsumeTimes: int32,
      },
      { requiredKeys: ['position', 'group', 'delayLevel'] },
    ),
    none,
  ),
  caseOf(
    queryConsumerOffset,
    record({ ...topicQueue, consumerGroup: text, setZeroIfNotFound: fc.boolean() }),
    anOffset,
  ),
  caseOf(
    updateConsumerOffset,
    record({ ...topicQueue, consumerGroup: text, commitOffset: anyOffset }),
    none,
  ),
  caseOf(maxOffset, record(topicQueue), anOffset),
  caseOf(minOffset, record(topicQueue), anOffset),
  caseOf(
    searchOffset,
    record({ ...topicQueue, timestampMs: count, boundary: fc.constantFrom('lower', 'upper') }),
    anOffset,
  ),
  caseOf(
    viewMessage,
    fc.oneof(record({ position: anyPosition }), record({ position: anyPosition, storeHost: text })),
    record({ message: storedMessage }),
  ),
  caseOf(resetClientOffset, record({ topic: text, group: text, offsets: placedQueues }), none),
  caseOf(clientPlaces, record({ topic: text, group: text }), record({ offsets: placedQueues })),
  caseOf(
    runningInfo,
    record({ consumerGroup: text, clientId: text }),
    record({
      properties: fc.dictionary(text, text, { maxKeys: 3, noNullPrototype: true }),
      subscriptions: fc.array(
        record({ topic: text, expression: text, expressionType: text, version: count }),
        { maxLength: 2 },
      ),
      queues: fc.uniqueArray(runningQueue, once),
    }),
  ),
  caseOf(
    groupMembers,
    record({ consumerGroup: text }),
    record({ clientIds: fc.array(text, { maxLength: 4 }) }),
  ),
  caseOf(lockQueues, queuesOfClient, record({ locked: fc.array(record(namedQueue)) })),
  caseOf(unlockQueues, queuesOfClient, none),
  caseOf(
    resetOffset,
    record({
      topic: text,
      group: text,
      timestampMs: count.map((ms) => ms - 1),
      isForced: fc.boolean(),
      queueId: int32,
      offset: count.map((offset) => offset - 1),
    }),
    record({
      offsets: placedQueues,
    }),
  ),
  caseOf(
    endTransaction,
    record({
      ...mark,
      topic: text,
      producerGroup: text,
      decision,
      fromTransactionCheck: fc.boolean(),
      msgId: text,
      transactionId: text,
    }),
    fc.oneof(record({ outcome: decision }), fc.constant({})),
  ),
  caseOf(
    checkTransaction,
    record({
      ...mark,
      topic: text,
      msgId: text,
      transactionId: text,
      offsetMsgId: text,
      message: storedMessage,
    }),
    none,
  ),
  caseOf(
    pullMessage,
    record(
      {
        consumerGroup: text,
        topic: text,
        queueId: count32,
        queueOffset: anyOffset,
        maxMessages: count32,
        maxBytes: count32,
        suspendMs: count32,
        subscription: text,
        expressionType: text,
        commitOffset: anyOffset,
        epoch: anyEpoch,
      },
      {
        requiredKeys: [
          'consumerGroup',
          'topic',
          'queueId',
          'queueOffset',
          'maxMessages',
          'maxBytes',
          'suspendMs',
        ],
      },
    ),
    record({
      nextBeginOffset: anyOffset,
      minOffset: anyOffset,
      maxOffset: anyOffset,
      messages: fc.array(storedMessage, { maxLength: 4 }),
    }),
  ),
  caseOf(
    topicRoute,
    record({ topic: text }),
    record({
      brokerName: fc.constant('broker-a'),
      brokerAddress: text,
      readQueues: count32,
      writeQueues: count32,
      perm: count32,
    }).chain((first) =>
      furtherBrokers.map((others) => (others.length === 0 ? first : { ...first, others })),
    ),
  ),
  caseOf(clusterInfo, none, record({ brokers: furtherBrokers.map((all) => all.map(named)) })),
  caseOf(
    createTopic,
    record({
      topic: text,
      readQueues: count32,
      writeQueues: count32,
      perm: count32,
      kind: fc.constantFrom('message', 'event'),
    }),
    none,
  ),
  caseOf(
    heartbeat,
    record({
      clientId: text,
      producerGroups: fc.array(text),
      consumers: fc.array(
        record(
          {
            group: text,
            mode: fc.constantFrom('clustering', 'broadcasting'),
            subscriptions: fc.array(
              record({ topic: text, expression: text, expressionType: text, version: count }),
              { maxLength: 2 },
            ),
            isPolled: fc.constant(true),
          },
          { requiredKeys: ['group', 'mode', 'subscriptions'] },
        ),
        { maxLength: 3 },
      ),
    }),
    none,
  ),
  caseOf(
    unregister,
    record(
      { clientId: text, producerGroup: text, consumerGroup: text },
      { requiredKeys: ['clientId'] },
    ),
    none,
  ),
  caseOf(notifyMembers, record({ consumerGroup: text }), none),
  caseOf(
    leaseQueues,
    record(
      {
        group: text,
        instance: text,
        mode: fc.constantFrom('clustering', 'broadcasting'),
        topics: fc.array(text),
        held: fc.array(record(held)),
        from: fc.oneof(
          fc.constantFrom('first' as const, 'last' as const),
          fc.nat().map((storedAtMs) => ({ storedAtMs })),
        ),
        leaving: fc.boolean(),
        allocation: anyAllocation,
      },
      { requiredKeys: ['group', 'instance', 'mode', 'topics', 'held', 'from', 'leaving'] },
    ),
    record({
      leaseMs: count32,
      grants: fc.array(record({ ...held, watermark: anyOffset, settled: fc.array(anyOffset) }), {
        maxLength: 4,
      }),
      revoked: fc.array(record({ topic: text, queueId: count32 })),
    }),
  ),
  caseOf(commit, anyCommit, anyCommitResponse),
  caseOf(
    readStream,
    record(
      {
        category: text,
        stream: text,
        fromVersion: anyVersion,
        maxEvents: count32,
        isBackward: fc.constant(true),
        asOf: anyPosition,
      },
      { requiredKeys: ['category', 'stream', 'fromVersion', 'maxEvents'] },
    ),
    record(
      {
        version: anyVersion,
        closed: anyClosed,
        events: fc.array(record(storedEvent), { maxLength: 4 }),
      },
      { requiredKeys: ['version', 'events'] },
    ),
  ),
  caseOf(
    readEvents,
    record(
      {
        categories: fc.array(text, { maxLength: 3 }),
        queueId: count32,
        from: anyPosition,
        maxEvents: count32,
        suspendMs: count32,
      },
      { requiredKeys: ['categories', 'from', 'maxEvents', 'suspendMs'] },
    ),
    record({
      next: anyPosition,
      events: fc.array(record({ category: text, stream: text, ...storedEvent }), { maxLength: 4 }),
    }),
  ),
  caseOf(
    listStreams,
    record({ category: text, after: count, maxStreams: count32 }),
    record({
      total: count,
      streams: fc.array(
        record(
          { stream: text, version: anyVersion, closed: anyClosed },
          { requiredKeys: ['stream', 'version'] },
        ),
        { maxLength: 4 },
      ),
    }),
  ),
  ...operatorCases,
  caseOf(
    listHalves,
    record({ after: anyPosition, parkedOnly: fc.boolean(), maxHalves: count32 }),
    record({
      halves: fc.array(
        record({
          position: anyPosition,
          group: text,
          transactionId: text,
          storedAtMs: count,
          checks: count,
          isParked: fc.boolean(),
          message: bytes,
        }),
        { maxLength: 4 },
      ),
      hasMore: fc.boolean(),
    }),
  ),
  caseOf(
    brokerStatus,
    none,
    record({
      halvesOpen: count32,
      halvesParked: count32,
      timersOpen: count32,
      earlyReplies: count32,
      queues: fc.array(
        record({
          group: text,
          topic: text,
          queueId: count32,
          watermark: anyOffset,
          settledAbove: count32,
          maxOffset: anyOffset,
        }),
        { maxLength: 3 },
      ),
      log: record({
        sequenced: anyPosition,
        durable: anyPosition,
        writes: count,
        syncs: count,
        bytes: count,
        records: count,
      }),
    }),
  ),
]
