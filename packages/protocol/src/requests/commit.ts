/**
 * SAGALOG_COMMIT (20002): the one commit. Applied whole or refused whole; a refusal is a value in a
 * response with code SUCCESS.
 *
 *   request   body, all integers big-endian:
 *     version   u8 = 2
 *     leases    list of: group text, topic text, queueId u32, epoch u64
 *     acks      list of: group text, topic text, queueId u32, offset u64
 *     appends   list of: category text, stream text,
 *                        expected u8 (0 any, 1 empty, 2 exists, 3 version, then the version u64),
 *                        events list of: type text, schema u32, data bytes,
 *                                        has u8 (1 metadata), metadata? (metadata-map.ts)
 *     sends     list of message
 *     timers    list of: id text, delayMs f64, message
 *     cancels   list of: id text
 *     closings  list of: category text, stream text, expected as above, state u8 (0 open,
 *                        1 archived, 2 deleted), reason text
 *     has u8 (1 key), key text?
 *   message     topic text, has u8 (1 sharding key, 2 tags, 4 keys, 8 properties),
 *               sharding key text?, tags text?, keys list of text?, properties map?, body bytes
 *   text, bytes length u32, then so many bytes (text is UTF-8)
 *   list        count u32, then the items;  map  count u32, then name text and value text of each
 *
 *   response  body: 0 u8, versions list of u64, has u8 (1 position, 2 is a repeat), position u64?
 *             or   1 u8, a refusal:
 *     0 u8 stale lease       group text, topic text, queueId u32
 *     1 u8 already settled   group text, topic text, queueId u32, offset u64
 *     2 u8 version conflict  category text, stream text, actual u64
 *     3 u8 no such topic     topic text
 *     4 u8 not allowed       detail text
 *     5 u8 stream closed     category text, stream text, state u8, reason text
 */
import { leaseEpoch, position, queueOffset, streamVersion, unreachable } from '@sagalog/kernel'
import type { Ack, Commit, CommitRefusal, Committed, EventDraft } from '@sagalog/kernel'
import type { ExpectedVersion, GroupQueue, LeaseRef, OutgoingMessage } from '@sagalog/kernel'
import type { StreamAppend, StreamClosing, TimerDraft } from '@sagalog/kernel'
import { ByteReader } from '../byte-reader.js'
import { ByteWriter } from '../byte-writer.js'
import { readMetadata, writeMetadata } from '../metadata-map.js'
import { noFields, type RequestCodec } from '../request-codec.js'
import { RequestCode } from '../request-codes.js'
import { readStreamState, writeStreamState } from '../stored-event.js'
import { readTextMap, writeTextMap } from '../text-map.js'

export type CommitResponse = { readonly committed: Committed } | { readonly refused: CommitRefusal }

const FORMAT = 2
const EXPECT_ANY = 0
const EXPECT_EMPTY = 1
const EXPECT_EXISTS = 2
const EXPECT_VERSION = 3
const HAS_METADATA = 1
const HAS_KEY = 1
const HAS_POSITION = 1
const IS_REPEAT = 2
const HAS_SHARDING_KEY = 1
const HAS_TAGS = 2
const HAS_KEYS = 4
const HAS_PROPERTIES = 8
const COMMITTED = 0
const REFUSED = 1
const STALE_LEASE = 0
const ALREADY_SETTLED = 1
const VERSION_CONFLICT = 2
const NO_SUCH_TOPIC = 3
const NOT_ALLOWED = 4
const STREAM_CLOSED = 5

function writeQueue(writer: ByteWriter, queue: GroupQueue): void {
  writer.text(queue.group, 'group')
  writer.text(queue.topic, 'topic')
  writer.u32(queue.queueId)
}

const readQueue = (reader: ByteReader): GroupQueue => ({
  group: reader.text('group'),
  topic: reader.text('topic'),
  queueId: reader.u32('queueId'),
})

function writeLease(writer: ByteWriter, lease: LeaseRef): void {
  writeQueue(writer, lease)
  writer.u64(lease.epoch)
}

// Written out, here and below: spreading costs more than reading.
const readLease = (reader: ByteReader): LeaseRef => ({
  group: reader.text('group'),
  topic: reader.text('topic'),
  queueId: reader.u32('queueId'),
  epoch: leaseEpoch(reader.u64('epoch')),
})

function writeAck(writer: ByteWriter, ack: Ack): void {
  writeQueue(writer, ack)
  writer.u64(ack.offset)
}

const readAck = (reader: ByteReader): Ack => ({
  group: reader.text('group'),
  topic: reader.text('topic'),
  queueId: reader.u32('queueId'),
  offset: queueOffset(reader.u64('offset')),
})

function writeExpected(writer: ByteWriter, expected: ExpectedVersion): void {
  if (expected === 'any') writer.u8(EXPECT_ANY)
  else if (expected === 'empty') writer.u8(EXPECT_EMPTY)
  else if (expected === 'exists') writer.u8(EXPECT_EXISTS)
  else {
    writer.u8(EXPECT_VERSION)
    writer.u64(expected)
  }
}

function readExpected(reader: ByteReader): ExpectedVersion {
  const tag = reader.u8('expected')
  switch (tag) {
    case EXPECT_ANY:
      return 'any'
    case EXPECT_EMPTY:
      return 'empty'
    case EXPECT_EXISTS:
      return 'exists'
    case EXPECT_VERSION:
      return streamVersion(reader.u64('expected version'))
    default:
      throw reader.malformed(`expected ${tag} is unknown, before this`)
  }
}

function writeEvent(writer: ByteWriter, event: EventDraft): void {
  writer.text(event.type, 'event type')
  writer.u32(event.schema)
  writer.bytes(event.data, 'event data')
  writer.u8(event.metadata === undefined ? 0 : HAS_METADATA)
  if (event.metadata !== undefined) writeMetadata(writer, event.metadata)
}

function readEvent(reader: ByteReader): EventDraft {
  const type = reader.text('event type')
  const schema = reader.u32('event schema')
  const data = reader.bytes('event data')
  const has = reader.u8('event parts')
  if ((has & ~HAS_METADATA) !== 0) throw reader.malformed(`event parts ${has}, before this`)
  if (has === 0) return { type, schema, data }
  return { type, schema, data, metadata: readMetadata(reader) }
}

function writeAppend(writer: ByteWriter, append: StreamAppend): void {
  writer.text(append.category, 'category')
  writer.text(append.stream, 'stream')
  writeExpected(writer, append.expected)
  writer.count(append.events.length, 'events')
  for (const event of append.events) writeEvent(writer, event)
}

const readAppend = (reader: ByteReader): StreamAppend => ({
  category: reader.text('category'),
  stream: reader.text('stream'),
  expected: readExpected(reader),
  events: reader.list('events', () => readEvent(reader)),
})

function writeClosing(writer: ByteWriter, closing: StreamClosing): void {
  writer.text(closing.category, 'category')
  writer.text(closing.stream, 'stream')
  writeExpected(writer, closing.expected)
  writeStreamState(writer, closing.state)
  writer.text(closing.reason, 'reason')
}

const readClosing = (reader: ByteReader): StreamClosing => ({
  category: reader.text('category'),
  stream: reader.text('stream'),
  expected: readExpected(reader),
  state: readStreamState(reader),
  reason: reader.text('reason'),
})

function writeMessage(writer: ByteWriter, message: OutgoingMessage): void {
  const { shardingKey, tags, keys, properties } = message
  writer.text(message.topic, 'topic')
  writer.u8(
    (shardingKey === undefined ? 0 : HAS_SHARDING_KEY) |
      (tags === undefined ? 0 : HAS_TAGS) |
      (keys === undefined ? 0 : HAS_KEYS) |
      (properties === undefined ? 0 : HAS_PROPERTIES),
  )
  if (shardingKey !== undefined) writer.text(shardingKey, 'sharding key')
  if (tags !== undefined) writer.text(tags, 'tags')
  if (keys !== undefined) {
    writer.count(keys.length, 'keys')
    for (const key of keys) writer.text(key, 'key')
  }
  if (properties !== undefined) writeTextMap(writer, properties, 'properties')
  writer.bytes(message.body, 'message body')
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

function readMessage(reader: ByteReader): OutgoingMessage {
  const topic = reader.text('topic')
  const has = reader.u8('message parts')
  if (has >= HAS_PROPERTIES * 2) throw reader.malformed(`message parts ${has}, before this`)
  const shardingKey = (has & HAS_SHARDING_KEY) === 0 ? undefined : reader.text('sharding key')
  const tags = (has & HAS_TAGS) === 0 ? undefined : reader.text('tags')
  const keys = (has & HAS_KEYS) === 0 ? undefined : reader.list('keys', () => reader.text('key'))
  const properties = (has & HAS_PROPERTIES) === 0 ? undefined : readTextMap(reader, 'properties')
  const message: Writable<OutgoingMessage> = { topic, body: reader.bytes('message body') }
  // What is absent must stay absent: an empty text is not the same as none.
  if (shardingKey !== undefined) message.shardingKey = shardingKey
  if (tags !== undefined) message.tags = tags
  if (keys !== undefined) message.keys = keys
  if (properties !== undefined) message.properties = properties
  return message
}

function writeTimer(writer: ByteWriter, timer: TimerDraft): void {
  writer.text(timer.id, 'timer id')
  writer.f64(timer.delayMs)
  writeMessage(writer, timer.message)
}

const readTimer = (reader: ByteReader): TimerDraft => ({
  id: reader.text('timer id'),
  delayMs: reader.f64('delay'),
  message: readMessage(reader),
})

/** The body of a commit request. */
export function encodeCommit(commit: Commit): Buffer {
  const writer = new ByteWriter()
  writer.u8(FORMAT)
  writer.count(commit.leases.length, 'leases')
  for (const lease of commit.leases) writeLease(writer, lease)
  writer.count(commit.acks.length, 'acks')
  for (const ack of commit.acks) writeAck(writer, ack)
  writer.count(commit.appends.length, 'appends')
  for (const append of commit.appends) writeAppend(writer, append)
  writer.count(commit.sends.length, 'sends')
  for (const message of commit.sends) writeMessage(writer, message)
  writer.count(commit.timers.length, 'timers')
  for (const timer of commit.timers) writeTimer(writer, timer)
  writer.count(commit.cancels.length, 'cancels')
  for (const id of commit.cancels) writer.text(id, 'timer id')
  const { closings = [], key } = commit
  writer.count(closings.length, 'closings')
  for (const closing of closings) writeClosing(writer, closing)
  writer.u8(key === undefined ? 0 : HAS_KEY)
  if (key !== undefined) writer.text(key, 'key')
  return writer.finish()
}

/** Reads the body of a commit request; its byte strings are views of `body`. */
export function decodeCommit(body: Buffer): Commit {
  const reader = new ByteReader(body)
  const format = reader.u8('the format')
  if (format !== FORMAT) throw reader.malformed(`format ${format} is unknown`, 0)
  const commit: Commit = {
    leases: reader.list('leases', () => readLease(reader)),
    acks: reader.list('acks', () => readAck(reader)),
    appends: reader.list('appends', () => readAppend(reader)),
    sends: reader.list('sends', () => readMessage(reader)),
    timers: reader.list('timers', () => readTimer(reader)),
    cancels: reader.list('cancels', () => reader.text('timer id')),
  }
  const closings = reader.list('closings', () => readClosing(reader))
  const has = reader.u8('commit parts')
  if (has > HAS_KEY) throw reader.malformed(`commit parts ${has}, before this`)
  const key = has === HAS_KEY ? reader.text('key') : undefined
  reader.finish()
  return {
    ...commit,
    ...(closings.length === 0 ? {} : { closings }),
    ...(key === undefined ? {} : { key }),
  }
}

function writeRefusal(writer: ByteWriter, refusal: CommitRefusal): void {
  switch (refusal.reason) {
    case 'stale-lease':
      writer.u8(STALE_LEASE)
      return writeQueue(writer, refusal.queue)
    case 'already-settled':
      writer.u8(ALREADY_SETTLED)
      return writeAck(writer, refusal.ack)
    case 'version-conflict':
      writer.u8(VERSION_CONFLICT)
      writer.text(refusal.category, 'category')
      writer.text(refusal.stream, 'stream')
      return writer.u64(refusal.actual)
    case 'no-such-topic':
      writer.u8(NO_SUCH_TOPIC)
      return writer.text(refusal.topic, 'topic')
    case 'not-allowed':
      writer.u8(NOT_ALLOWED)
      return writer.text(refusal.detail, 'detail')
    case 'stream-closed':
      writer.u8(STREAM_CLOSED)
      writer.text(refusal.category, 'category')
      writer.text(refusal.stream, 'stream')
      writeStreamState(writer, refusal.state)
      return writer.text(refusal.why, 'reason')
    default:
      return unreachable(refusal)
  }
}

function readRefusal(reader: ByteReader): CommitRefusal {
  const tag = reader.u8('the reason')
  switch (tag) {
    case STALE_LEASE:
      return { reason: 'stale-lease', queue: readQueue(reader) }
    case ALREADY_SETTLED:
      return { reason: 'already-settled', ack: readAck(reader) }
    case VERSION_CONFLICT:
      return {
        reason: 'version-conflict',
        category: reader.text('category'),
        stream: reader.text('stream'),
        actual: streamVersion(reader.u64('actual version')),
      }
    case NO_SUCH_TOPIC:
      return { reason: 'no-such-topic', topic: reader.text('topic') }
    case NOT_ALLOWED:
      return { reason: 'not-allowed', detail: reader.text('detail') }
    case STREAM_CLOSED:
      return {
        reason: 'stream-closed',
        category: reader.text('category'),
        stream: reader.text('stream'),
        state: readStreamState(reader),
        why: reader.text('reason'),
      }
    default:
      throw reader.malformed(`reason ${tag} is unknown, before this`)
  }
}

function encodeOutcome(response: CommitResponse): Buffer {
  const writer = new ByteWriter()
  if ('refused' in response) {
    writer.u8(REFUSED)
    writeRefusal(writer, response.refused)
  } else {
    const { versions } = response.committed
    writer.u8(COMMITTED)
    writer.count(versions.length, 'versions')
    for (const version of versions) writer.u64(version)
    const { position: at, isRepeat = false } = response.committed
    writer.u8((at === undefined ? 0 : HAS_POSITION) | (isRepeat ? IS_REPEAT : 0))
    if (at !== undefined) writer.u64(at)
  }
  return writer.finish()
}

function readCommitted(reader: ByteReader): Committed {
  const versions = reader.list('versions', () => streamVersion(reader.u64('version')))
  const has = reader.u8('outcome parts')
  if (has > (HAS_POSITION | IS_REPEAT)) throw reader.malformed(`outcome parts ${has}, before this`)
  return {
    versions,
    ...((has & HAS_POSITION) === 0 ? {} : { position: position(reader.u64('position')) }),
    ...((has & IS_REPEAT) === 0 ? {} : { isRepeat: true }),
  }
}

function decodeOutcome(body: Buffer): CommitResponse {
  const reader = new ByteReader(body)
  const tag = reader.u8('the outcome')
  if (tag > REFUSED) throw reader.malformed(`outcome ${tag} is unknown`, 0)
  const response: CommitResponse =
    tag === REFUSED ? { refused: readRefusal(reader) } : { committed: readCommitted(reader) }
  reader.finish()
  return response
}

export const commit: RequestCodec<Commit, CommitResponse> = {
  code: RequestCode.SAGALOG_COMMIT,
  name: 'commit',
  encodeRequest: (request) => ({ fields: noFields, body: encodeCommit(request) }),
  decodeRequest: ({ body }) => decodeCommit(body),
  encodeResponse: (response) => ({ fields: noFields, body: encodeOutcome(response) }),
  decodeResponse: ({ body }) => decodeOutcome(body),
}
