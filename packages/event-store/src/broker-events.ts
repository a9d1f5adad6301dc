/**
 * The event store's port over a connection to a broker. A change is one commit of nothing else. Its
 * own business is the answer that gets lost: a change with a key is sent again; when the expected
 * version of one append says what must have stood there before, the stream itself tells whether it
 * happened; and the caller hears of neither.
 */
import { ClientError, type Connection } from '@sagalog/client'
import {
  assert,
  type CommitRefusal,
  type Committed,
  emptyCommit,
  type ExpectedVersion,
  randomHex,
  position,
  type Position,
  type StreamAppend,
  type StreamVersion,
  streamVersion,
  unreachable,
} from '@sagalog/kernel'
import {
  commit,
  createTopic,
  listStreams,
  readEvents,
  readStream,
  type RequestCodec,
  ResponseCode,
  responseCodeName,
  type StoredEvent,
  topicRoute,
} from '@sagalog/protocol'
import { EventStoreError } from './errors.js'
import {
  appendResultOf,
  type AppendResult,
  type ChangeResult,
  type EventPosition,
  type EventsPage,
  type EventStorePort,
  type StreamPage,
  type StreamsChange,
} from './event-store-port.js'

export interface BrokerEventsOptions {
  /** How often a change is sent whose lost answers can be found out; 5 unless told. */
  readonly attemptsMax?: number
}

/**
 * The metadata key of the mark that tells an append from an equal one of somebody else. Readers
 * never see it.
 */
const MARK_KEY = 'sagalog.append'
const ATTEMPTS_MAX = 5
/** Milliseconds beyond the wait that was asked for until an answer counts as lost. */
const WAIT_SLACK_MS = 3_000

interface Place {
  readonly category: string
  readonly stream: string
}

interface Operation extends Place {
  readonly operation: 'create' | 'read' | 'append' | 'change'
}

/** What is known of an append that names the version before it. */
interface Guard {
  readonly base: StreamVersion
  readonly mark: string
  readonly count: number
}

/** Either the broker's answer, or the news that nobody knows whether it did the work. */
type Outcome = ChangeResult | { readonly unknown: unknown }

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

/** The broker's positions are numbers; this package's users can't reckon with them. */
const placed = (at: Position): EventPosition => at as unknown as EventPosition
const reckoned = (at: EventPosition): Position => at as unknown as Position

function conflictOf(where: Operation, refused: CommitRefusal): ChangeResult {
  switch (refused.reason) {
    case 'version-conflict': {
      const { actual, category, stream } = refused
      return { conflict: actual, category, stream }
    }
    case 'stream-closed': {
      const { category, state: closed, stream, why: reason } = refused
      throw new EventStoreError('STREAM_CLOSED', { category, stream, closed, reason })
    }
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

function changed({ isRepeat = false, position: at, versions }: Committed): ChangeResult {
  assert(at !== undefined, 'a change writes a record')
  return { versions, position: placed(at), isRepeat }
}

function marked(append: StreamAppend, mark: string): StreamAppend {
  const [first, ...rest] = append.events
  assert(first !== undefined, 'an append has at least one event')
  const metadata = { ...first.metadata, [MARK_KEY]: mark }
  return { ...append, events: [{ ...first, metadata }, ...rest] }
}

function unmarked<Event extends Pick<StoredEvent, 'metadata'>>(event: Event): Event {
  if (!Object.hasOwn(event.metadata, MARK_KEY)) return event
  const { [MARK_KEY]: _mark, ...metadata } = event.metadata
  return { ...event, metadata }
}

/** The port over `connection`. */
export function brokerEvents(
  connection: Connection,
  { attemptsMax = ATTEMPTS_MAX }: BrokerEventsOptions = {},
): EventStorePort {
  return new BrokerEvents(connection, attemptsMax)
}

class BrokerEvents implements EventStorePort {
  readonly start = placed(position(0))
  readonly #connection: Connection
  readonly #attemptsMax: number
  /** What the marks of this store begin with, and how many there were. */
  readonly #markPrefix: string
  #marks = 0

  constructor(connection: Connection, attemptsMax: number) {
    this.#connection = connection
    this.#attemptsMax = attemptsMax
    this.#markPrefix = randomHex(connection.ports.random)
  }

  comparePositions(left: EventPosition, right: EventPosition): number {
    return reckoned(left) - reckoned(right)
  }

  async ensureCategory(category: string, { queues }: { queues: number }): Promise<void> {
    const where: Operation = { operation: 'create', category, stream: '' }
    const request = { topic: category, readQueues: queues, writeQueues: queues, perm: 6 }
    await this.#ask(where, createTopic, { ...request, kind: 'event' })
  }

  async queuesOf(category: string): Promise<number> {
    const where: Operation = { operation: 'read', category, stream: '*' }
    return (await this.#ask(where, topicRoute, { topic: category })).readQueues
  }

  async readPage({
    asOf,
    ...wanted
  }: Parameters<EventStorePort['readPage']>[0]): Promise<StreamPage> {
    const { category, stream } = wanted
    const request = asOf === undefined ? wanted : { ...wanted, asOf: reckoned(asOf) }
    const found = await this.#ask({ operation: 'read', category, stream }, readStream, request)
    return { ...found, events: found.events.map(unmarked) as unknown as StreamPage['events'] }
  }

  async readEvents({
    waitMs,
    ...wanted
  }: Parameters<EventStorePort['readEvents']>[0]): Promise<EventsPage> {
    const where: Operation = {
      operation: 'read',
      category: wanted.categories.join(',') || '*',
      stream: '*',
    }
    const request = { ...wanted, from: reckoned(wanted.from), suspendMs: waitMs }
    const timeoutMs = waitMs + WAIT_SLACK_MS
    const { events, next } = await this.#ask(where, readEvents, request, timeoutMs)
    return { events: events.map(unmarked) as unknown as EventsPage['events'], next: placed(next) }
  }

  async end(): Promise<EventPosition> {
    const from = placed(position(Number.MAX_SAFE_INTEGER))
    return (await this.readEvents({ categories: [], from, maxEvents: 1, waitMs: 0 })).next
  }

  async listStreams(
    request: Parameters<EventStorePort['listStreams']>[0],
  ): ReturnType<EventStorePort['listStreams']> {
    const { category } = request
    return await this.#ask({ operation: 'read', category, stream: '*' }, listStreams, request)
  }

  async append(append: StreamAppend, { key }: { key?: string } = {}): Promise<AppendResult> {
    assert(append.events.length > 0, 'an append has at least one event')
    const change = { appends: [append] }
    return appendResultOf(await this.change(key === undefined ? change : { ...change, key }))
  }

  async change(change: StreamsChange): Promise<ChangeResult> {
    const { appends, closings = [], key } = change
    const [first] = [...appends, ...closings]
    assert(first !== undefined, 'a change has appends or closings')
    const { category, stream } = first
    const where: Operation = { operation: 'change', category, stream }
    if (key !== undefined) return await this.#changeKeyed(where, change)
    const [append] = appends
    const base = append === undefined ? undefined : baseOf(append.expected)
    if (append !== undefined && base !== undefined && appends.length + closings.length === 1)
      return await this.#appendGuarded({ ...where, operation: 'append' }, append, base)
    const outcome = await this.#send(where, change)
    if (!('unknown' in outcome)) return outcome
    throw inDoubt(where, outcome.unknown)
  }

  async #ask<Req, Res>(
    where: Operation,
    codec: RequestCodec<Req, Res>,
    request: Req,
    timeoutMs = this.#connection.requestTimeoutMs,
  ): Promise<Res> {
    const answer = await this.#connection
      .request(codec, request, { timeoutMs })
      .catch((cause: unknown) => {
        throw failure(where, cause)
      })
    if (answer.code !== ResponseCode.SUCCESS || answer.payload === undefined)
      throw refusal(where, answer.code, answer.remark)
    return answer.payload
  }

  async #send(where: Operation, change: StreamsChange): Promise<Outcome> {
    const answer = await this.#connection
      .request(commit, { ...emptyCommit, ...change })
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
    return changed(payload.committed)
  }

  /** The broker tells a change with a key from a new one, so it is sent until an answer comes. */
  async #changeKeyed(where: Operation, change: StreamsChange): Promise<ChangeResult> {
    let lost: unknown
    for (let attempt = 1; attempt <= this.#attemptsMax; attempt += 1) {
      const outcome = await this.#send(where, change)
      if (!('unknown' in outcome)) return outcome
      lost = outcome.unknown
    }
    throw inDoubt(where, lost)
  }

  /** Looks behind `base`: do our events stand there, or somebody else's, or none yet? */
  async #find(where: Operation, { base, mark, count }: Guard): Promise<ChangeResult | undefined> {
    const { category, stream } = where
    const page = (fromVersion: number) =>
      this.#ask(where, readStream, {
        category,
        stream,
        fromVersion: streamVersion(fromVersion),
        maxEvents: 1,
      })
    const found = await page(base + 1)
    if (found.version === base) return undefined
    if (found.events[0]?.metadata[MARK_KEY] !== mark)
      return { conflict: found.version, category, stream }
    const version = streamVersion(base + count)
    const [last] = (await page(version)).events
    assert(last !== undefined, 'an append is there whole')
    return { versions: [version], position: placed(last.position), isRepeat: false }
  }

  async #appendGuarded(
    where: Operation,
    append: StreamAppend,
    base: StreamVersion,
  ): Promise<ChangeResult> {
    this.#marks += 1
    const mark = `${this.#markPrefix}.${this.#marks.toString(36)}`
    const guard: Guard = { base, mark, count: append.events.length }
    const request = { appends: [marked(append, guard.mark)] }
    let lost: unknown
    for (let attempt = 1; attempt <= this.#attemptsMax; attempt += 1) {
      const outcome = await this.#send(where, request)
      if ('versions' in outcome) return outcome
      if ('conflict' in outcome && lost === undefined) return outcome
      // From here on a conflict may be with our own earlier attempt.
      if ('unknown' in outcome) lost = outcome.unknown
      const found = await this.#find(where, guard).catch((cause: unknown) => {
        throw inDoubt(where, cause, 'and the stream could not be read: ')
      })
      if (found !== undefined) return found
      // Not there, or not yet: the expected version lets only one of the attempts in.
    }
    throw inDoubt(where, lost)
  }
}

function inDoubt({ category, stream }: Place, cause: unknown, before = ''): Error {
  const reason = before + String(cause)
  return new EventStoreError('IN_DOUBT', { category, stream, reason }, { cause })
}
