/**
 * The event store's port over a connection to a broker. An append is one commit of nothing else.
 * Its own business is the answer that gets lost: when the expected version says what must have
 * stood there before, the stream itself tells whether the append happened, and the caller never
 * hears of it.
 */
import { ClientError, type Connection } from '@sagalog/client'
import {
  assert,
  type CommitRefusal,
  emptyCommit,
  type ExpectedVersion,
  randomHex,
  type StreamAppend,
  type StreamVersion,
  streamVersion,
  unreachable,
} from '@sagalog/kernel'
import {
  commit,
  createTopic,
  readStream,
  ResponseCode,
  responseCodeName,
  type StoredEvent,
} from '@sagalog/protocol'
import { EventStoreError } from './errors.js'
import type { AppendResult, EventStorePort, StreamPage } from './event-store-port.js'

export interface BrokerEventsOptions {
  /** How often a guarded append is sent before it is given up as in doubt; 5 unless told. */
  readonly attemptsMax?: number
}

/**
 * The metadata key of the mark that tells an append from an equal one of somebody else. Readers
 * never see it.
 */
const MARK_KEY = 'sagalog.append'
const ATTEMPTS_MAX = 5

interface Place {
  readonly category: string
  readonly stream: string
}

interface Operation extends Place {
  readonly operation: 'create' | 'read' | 'append'
}

/** What is known of an append that names the version before it. */
interface Guard {
  readonly base: StreamVersion
  readonly mark: string
  readonly count: number
}

/** Either the broker's answer, or the news that nobody knows whether it did the work. */
type Outcome = AppendResult | { readonly unknown: unknown }

function failure(where: Operation, cause: unknown): unknown {
  if (!ClientError.is(cause)) return cause
  if (cause.code === 'INVALID_MESSAGE')
    return new EventStoreError('REFUSED', { ...where, reason: cause.message }, { cause })
  if (cause.code === 'CLOSED') return new EventStoreError('CLOSED', { ...where }, { cause })
  return new EventStoreError('UNAVAILABLE', { ...where, reason: cause.message }, { cause })
}

function refusal(where: Operation, code: number, remark: string | undefined): Error {
  const reason = remark ?? responseCodeName(code)
  if (code === ResponseCode.TOPIC_NOT_EXIST)
    return new EventStoreError('NO_CATEGORY', { category: where.category })
  if (code === ResponseCode.SYSTEM_BUSY || code === ResponseCode.SERVICE_NOT_AVAILABLE)
    return new EventStoreError('UNAVAILABLE', { ...where, reason })
  return new EventStoreError('REFUSED', { ...where, reason })
}

function conflictOf(where: Operation, refused: CommitRefusal): AppendResult {
  switch (refused.reason) {
    case 'version-conflict':
      return { conflict: refused.actual }
    case 'no-such-topic':
      throw new EventStoreError('NO_CATEGORY', { category: refused.topic })
    case 'not-allowed':
      throw new EventStoreError('REFUSED', { ...where, reason: refused.detail })
    case 'stale-lease':
    case 'already-settled':
      throw new EventStoreError('REFUSED', { ...where, reason: refused.reason })
    default:
      return unreachable(refused)
  }
}

/** The version that must stand before the append, when `expected` names one. */
function baseOf(expected: ExpectedVersion): StreamVersion | undefined {
  if (expected === 'empty') return streamVersion(0)
  return typeof expected === 'number' ? expected : undefined
}

function marked(append: StreamAppend, mark: string): StreamAppend {
  const [first, ...rest] = append.events
  assert(first !== undefined, 'an append has at least one event')
  const metadata = { ...first.metadata, [MARK_KEY]: mark }
  return { ...append, events: [{ ...first, metadata }, ...rest] }
}

function unmarked(event: StoredEvent): StoredEvent {
  if (!Object.hasOwn(event.metadata, MARK_KEY)) return event
  const { [MARK_KEY]: _mark, ...metadata } = event.metadata
  return { ...event, metadata }
}

/** The port over `connection`. */
export function brokerEvents(
  connection: Connection,
  { attemptsMax = ATTEMPTS_MAX }: BrokerEventsOptions = {},
): EventStorePort {
  async function page(
    where: Operation,
    fromVersion: number,
    maxEvents: number,
  ): Promise<StreamPage> {
    const { category, stream } = where
    const request = { category, stream, fromVersion: streamVersion(fromVersion), maxEvents }
    const answer = await connection.request(readStream, request).catch((cause: unknown) => {
      throw failure(where, cause)
    })
    if (answer.code !== ResponseCode.SUCCESS || answer.payload === undefined)
      throw refusal(where, answer.code, answer.remark)
    return answer.payload
  }

  async function send(where: Operation, append: StreamAppend): Promise<Outcome> {
    const answer = await connection
      .request(commit, { ...emptyCommit, appends: [append] })
      .catch((cause: unknown) => {
        if (ClientError.is(cause) && cause.state === 'unknown') return { unknown: cause }
        throw failure(where, cause)
      })
    if ('unknown' in answer) return answer
    const { code, remark, payload } = answer
    // A broker that fails after it gave the commit its place can't say whether it is durable.
    if (code === ResponseCode.SYSTEM_ERROR) return { unknown: remark ?? responseCodeName(code) }
    if (code !== ResponseCode.SUCCESS || payload === undefined) throw refusal(where, code, remark)
    if ('refused' in payload) return conflictOf(where, payload.refused)
    const [appended] = payload.committed.versions
    assert(appended !== undefined, 'a commit reports a version for each append')
    return { appended }
  }

  /** Looks behind `base`: do our events stand there, or somebody else's, or none yet? */
  async function find(
    where: Operation,
    { base, mark, count }: Guard,
  ): Promise<AppendResult | undefined> {
    const found = await page(where, base + 1, 1)
    if (found.version === base) return undefined
    if (found.events[0]?.metadata[MARK_KEY] !== mark) return { conflict: found.version }
    return { appended: streamVersion(base + count) }
  }

  async function appendGuarded(
    where: Operation,
    append: StreamAppend,
    base: StreamVersion,
  ): Promise<AppendResult> {
    const { category, stream } = where
    const guard: Guard = {
      base,
      mark: randomHex(connection.ports.random),
      count: append.events.length,
    }
    const request = marked(append, guard.mark)
    let lost: unknown
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const outcome = await send(where, request)
      if ('appended' in outcome) return outcome
      if ('conflict' in outcome && lost === undefined) return outcome
      // From here on a conflict may be with our own earlier attempt.
      if ('unknown' in outcome) lost = outcome.unknown
      const found = await find(where, guard).catch((cause: unknown) => {
        const reason = `and the stream could not be read: ${String(cause)}`
        throw new EventStoreError('IN_DOUBT', { category, stream, reason }, { cause })
      })
      if (found !== undefined) return found
      // Not there, or not yet: the expected version lets only one of the attempts in.
    }
    throw new EventStoreError(
      'IN_DOUBT',
      { category, stream, reason: String(lost) },
      { cause: lost },
    )
  }

  return {
    async ensureCategory(category, { queues }) {
      const where: Operation = { operation: 'create', category, stream: '' }
      const request = { topic: category, readQueues: queues, writeQueues: queues, perm: 6 }
      const answer = await connection
        .request(createTopic, { ...request, kind: 'event' })
        .catch((cause: unknown) => {
          throw failure(where, cause)
        })
      if (answer.code !== ResponseCode.SUCCESS) throw refusal(where, answer.code, answer.remark)
    },
    async readPage({ category, stream, fromVersion, maxEvents }) {
      const found = await page({ operation: 'read', category, stream }, fromVersion, maxEvents)
      return { version: found.version, events: found.events.map(unmarked) }
    },
    async append(append) {
      assert(append.events.length > 0, 'an append has at least one event')
      const { category, stream, expected } = append
      const where: Operation = { operation: 'append', category, stream }
      const base = baseOf(expected)
      if (base !== undefined) return await appendGuarded(where, append, base)
      const outcome = await send(where, append)
      if (!('unknown' in outcome)) return outcome
      const { unknown: cause } = outcome
      throw new EventStoreError('IN_DOUBT', { category, stream, reason: String(cause) }, { cause })
    },
  }
}
