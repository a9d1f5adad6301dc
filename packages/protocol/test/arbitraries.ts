/** Values of every payload type, for the property tests. */
import { leaseEpoch, position, queueOffset, streamVersion } from '@sagalog/kernel'
import type { Commit, EventDraft, GroupQueue, OutgoingMessage } from '@sagalog/kernel'
import * as fc from 'fast-check'
import { type CommitResponse, ProtocolError } from '../src/index.js'

/** `fc.record` that makes plain objects only, as the codecs do. */
export const record = ((model: Record<string, fc.Arbitrary<unknown>>, constraints: object = {}) =>
  fc.record(model, { noNullPrototype: true, ...constraints })) as typeof fc.record

/** Any text that UTF-8 can hold: no lone surrogates. */
export const text = fc.string({ unit: 'binary', maxLength: 20 })
export const someText = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
export const name = fc.stringMatching(/^[%|a-zA-Z0-9_-]{1,30}$/)
export const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
export const int32 = fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })
export const count32 = fc.nat({ max: 0x7fff_ffff })
export const count = fc.maxSafeNat()
export const anyPosition = count.map(position)
export const anyOffset = count.map(queueOffset)
export const anyEpoch = count.map(leaseEpoch)
export const anyVersion = count.map(streamVersion)
const textMap = fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true })

const maybe = { requiredKeys: ['topic', 'body'] as ['topic', 'body'] }
export const outgoing: fc.Arbitrary<OutgoingMessage> = record(
  {
    topic: name,
    shardingKey: text,
    tags: text,
    keys: fc.array(text, { maxLength: 3 }),
    properties: textMap,
    body: bytes,
  },
  maybe,
)

const metadata = fc.dictionary(text, fc.oneof(text, bytes), { maxKeys: 4, noNullPrototype: true })
const anyExpected = fc.oneof(
  fc.constantFrom('any' as const, 'empty' as const, 'exists' as const),
  anyVersion,
)

const eventDraft: fc.Arbitrary<EventDraft> = record(
  { type: text, schema: fc.nat({ max: 0xffff_ffff }), data: bytes, metadata },
  { requiredKeys: ['type', 'schema', 'data'] },
)

const queue = { group: text, topic: text, queueId: count32 }
const groupQueue: fc.Arbitrary<GroupQueue> = record(queue)
const lease = record({ ...queue, epoch: anyEpoch })
const ack = record({ ...queue, offset: anyOffset })

const wholeCommit = {
  leases: fc.array(lease, { maxLength: 3 }),
  acks: fc.array(ack, { maxLength: 5 }),
  appends: fc.array(
    record({
      category: name,
      stream: text,
      expected: anyExpected,
      events: fc.array(eventDraft, { maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
  sends: fc.array(outgoing, { maxLength: 3 }),
  timers: fc.array(
    record({
      id: text,
      delayMs: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }),
      message: outgoing,
    }),
    { maxLength: 3 },
  ),
  cancels: fc.array(text, { maxLength: 3 }),
}
const closings = fc.array(
  record({
    category: name,
    stream: text,
    expected: anyExpected,
    state: fc.constantFrom('open' as const, 'archived' as const, 'deleted' as const),
    reason: text,
  }),
  { minLength: 1, maxLength: 3 },
)
export const anyCommit: fc.Arbitrary<Commit> = record(
  { ...wholeCommit, closings, key: text },
  { requiredKeys: ['leases', 'acks', 'appends', 'sends', 'timers', 'cancels'] },
)

export const anyCommitResponse: fc.Arbitrary<CommitResponse> = fc.oneof(
  record({
    committed: record(
      {
        versions: fc.array(anyVersion, { maxLength: 4 }),
        position: anyPosition,
        isRepeat: fc.constant(true),
      },
      { requiredKeys: ['versions'] },
    ),
  }),
  record({
    refused: fc.oneof(
      record({ reason: fc.constant('stale-lease' as const), queue: groupQueue }),
      record({ reason: fc.constant('already-settled' as const), ack }),
      record({
        reason: fc.constant('version-conflict' as const),
        category: text,
        stream: text,
        actual: anyVersion,
      }),
      record({
        reason: fc.constant('stream-closed' as const),
        category: text,
        stream: text,
        state: fc.constantFrom('archived' as const, 'deleted' as const),
        why: text,
      }),
      record({ reason: fc.constant('no-such-topic' as const), topic: text }),
      record({ reason: fc.constant('not-allowed' as const), detail: text }),
    ),
  }),
)

export const anyTextMap = textMap
export const anyMetadata = metadata
export const anyClosed = record({
  state: fc.constantFrom('archived' as const, 'deleted' as const),
  reason: text,
})

/** True when `read` gives a value or a ProtocolError; anything else it throws is passed on. */
export function endsWell(read: () => unknown): boolean {
  try {
    read()
  } catch (error) {
    if (!ProtocolError.is(error)) throw error
  }
  return true
}
