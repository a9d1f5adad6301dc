/**
 * Reads the log that a run left, cold and without the broker's folds, into what checkers look at;
 * what the log let go comes from an archive. It knows the record layouts only.
 */
import type { Clock, Disk, LogRecord } from '@sagalog/kernel'
import { type Log, openLog } from '@sagalog/log-core'
import {
  decodeStoredMessage,
  MessageConst,
  propertyOf,
  storedBody,
  storedProperties,
  storedQueueId,
  storedQueueOffset,
  storedStoreTimestampMs,
  storedTopic,
} from '@sagalog/protocol'
import {
  readEventAttributes,
  storedMessageStart,
} from '../../packages/broker/src/records/event-record.js'
import { readDecision, readHalfOpen, readLease } from '../../packages/broker/src/records/facts.js'
import { readTimerRecord } from '../../packages/broker/src/records/timer-record.js'
import type { Archive } from './archive.js'
import type {
  HalfFate,
  LogContents,
  StoredEffect,
  StoredHalf,
  StoredLease,
  StoredMessage,
  StoredTimer,
} from './history.js'
import { EFFECTS } from './consumer-node.js'
import { RUN } from './wire-tap.js'

export async function readLogContents(options: {
  disk: Disk
  clock: Clock
  directory: string
  archive: Archive
}): Promise<LogContents> {
  const messages: StoredMessage[] = []
  const effects: StoredEffect[] = []
  const leases: StoredLease[] = []
  const halves: StoredHalf[] = []
  const fates: HalfFate[] = []
  const timers: StoredTimer[] = []
  const log = await openLog(options)
  const held = new Map<string, StoredLease>()
  let isRestating = false
  for (const record of await everythingIn(log, options.archive)) {
    if (record.kind === 'restatement-begin') isRestating = true
    else if (record.kind === 'restatement-end') isRestating = false
    else if (record.kind === 'message') messages.push(messageOf(record))
    else if (record.kind === 'event') effects.push(...effectsOf(record))
    else if (record.kind === 'lease') leases.push(leaseOf(record, { held, isRestating }))
    else if (record.kind === 'timer') timers.push(timerOf(record))
    else if (record.kind === 'half') halves.push(halfOf(record))
    else if (record.kind === 'half-open' || record.kind === 'decision')
      fates.push(fateOf(record, isRestating))
  }
  await log.close()
  return { messages, effects, leases, halves, fates, timers }
}

/** In the order of the log; only below `wholeFrom` may it have let something go. */
async function everythingIn(log: Log, archive: Archive): Promise<LogRecord[]> {
  const all: LogRecord[] = []
  for await (const records of log.scan(log.start)) all.push(...records)
  const isThere = new Set<number>(all.map(({ position }) => position))
  all.push(...archive.goneBelow(log.wholeFrom, isThere))
  return all.sort((left, right) => left.position - right.position)
}

function messageOf(record: LogRecord): StoredMessage {
  const at = storedMessageStart(record)
  const properties = storedProperties(record.source, at)
  return {
    id: idAt(record, at),
    key: propertyOf(properties, '__SHARDINGKEY') ?? '',
    topic: storedTopic(record.source, at),
    queueId: storedQueueId(record.source, at),
    offset: storedQueueOffset(record.source, at),
    position: record.position,
    tries: Number(propertyOf(properties, MessageConst.PROPERTY_RECONSUME_TIME) ?? 0),
    storedAtMs: storedStoreTimestampMs(record.source, at),
  }
}

function idAt(record: LogRecord, at: number): string {
  const body = JSON.parse(decodeStoredMessage(record.source, at).body.toString()) as { id: string }
  return body.id
}

const halfOf = (record: LogRecord): StoredHalf => ({
  id: idAt(record, record.start),
  position: record.position,
})

function timerOf(record: LogRecord): StoredTimer {
  const at = storedMessageStart(record)
  const { dueAtMs } = readTimerRecord(record)
  const storedAtMs = storedStoreTimestampMs(record.source, at)
  return { id: idAt(record, at), position: record.position, dueAtMs, storedAtMs }
}

function fateOf(record: LogRecord, isRestating: boolean): HalfFate {
  const { position } = record
  if (record.kind === 'decision') return { ...readDecision(record), position, isRestating }
  const { checks, half, isParked } = readHalfOpen(record)
  return { half, checks, isParked, position, isRestating }
}

/** Parked keys are events as well. */
function effectsOf(record: LogRecord): StoredEffect[] {
  const at = storedMessageStart(record)
  if (storedTopic(record.source, at) !== EFFECTS) return []
  const { metadata, stream, version } = readEventAttributes(record)
  const message = storedBody(record.source, at).toString()
  const run = String(metadata[RUN] ?? '')
  return [{ stream, version, position: record.position, message, run }]
}

/**
 * A grant made while a restatement is under way stands between its marks, too: its epoch is new.
 */
function leaseOf(
  record: LogRecord,
  { held, isRestating }: { held: Map<string, StoredLease>; isRestating: boolean },
): StoredLease {
  const { epoch, group, instance, queueId, topic } = readLease(record)
  const queue = `${group} ${topic}/${queueId}`
  const before = held.get(queue)
  const isSame = before?.epoch === epoch && before.instance === instance
  const { position } = record
  const lease = {
    group,
    topic,
    queueId,
    epoch,
    instance,
    position,
    isRestated: isRestating && isSame,
  }
  held.set(queue, lease)
  return lease
}
