/**
 * How parked keys stand in the log: one stream for each key of each queue, in a category of the
 * group. A message that is set aside is an event with the message's body; each event says what the
 * key's state is after it, so the newest one is enough to know it.
 */
import type { EventDraft, StreamAppend, StreamVersion } from '@sagalog/kernel'
import { position, queueOffset, streamVersion } from '@sagalog/kernel'
import {
  listStreams,
  parkedTopic,
  readStream,
  ResponseCode,
  type StoredEvent,
  type StreamSummary,
} from '@sagalog/protocol'
import { type Connection, rejectedBy } from './connection.js'
import { LISTED_AT_ONCE } from './limits.js'
import type { ReceivedMessage } from './received.js'

/** What a key is: its messages wait for a person, are handed over again, or flow as all others. */
export type ParkingState = 'parked' | 'released' | 'flowing'

/** What is known of a key once an event is read. */
export interface Parking {
  readonly topic: string
  readonly queueId: number
  readonly key: string
  readonly state: ParkingState
  /** The first message that waits stands at this version of the stream, or behind it. */
  readonly next: StreamVersion
  /** Messages that wait. */
  readonly left: number
  /** Why the key was parked, and the message that did it. */
  readonly reason: string
  readonly messageId: string
  readonly attempts: number
  readonly parkedAtMs: number
}

export interface ParkingHead {
  readonly stream: string
  readonly version: StreamVersion
  /** Undefined while the stream has no event. */
  readonly parking: Parking | undefined
}

const STREAM_CHARS_MAX = 1_000
const PARKED = 'parked'

/** The stream of a key; undefined when its name would be too long. */
export function parkingStream(topic: string, queueId: number, key: string): string | undefined {
  const name = `${streamPrefix(topic, queueId)}${encodeURIComponent(key)}`
  return name.length > STREAM_CHARS_MAX ? undefined : name
}

export const streamPrefix = (topic: string, queueId: number): string => `${topic}/${queueId}/`

/** An event that changes the state, at the version that the state was read at. */
export function parkingAppend(
  group: string,
  head: ParkingHead,
  event: { readonly type: string; readonly after: Parking; readonly message?: ReceivedMessage },
): StreamAppend {
  const { after, message, type } = event
  const envelope = message === undefined ? {} : { message: JSON.stringify(envelopeOf(message)) }
  const draft: EventDraft = {
    type,
    schema: 1,
    data: message?.body ?? Buffer.alloc(0),
    metadata: { parking: JSON.stringify(after), ...envelope },
  }
  return {
    category: parkedTopic(group),
    stream: head.stream,
    expected: head.version === 0 ? 'empty' : head.version,
    events: [draft],
  }
}

/** Sets a message aside behind those that wait already. */
export const parkedAppend = (
  group: string,
  head: ParkingHead,
  message: ReceivedMessage,
  after: Parking,
): StreamAppend => parkingAppend(group, head, { type: PARKED, after, message })

type Envelope = Omit<ReceivedMessage, 'body'>

function envelopeOf(message: ReceivedMessage): Envelope {
  const { body: _, ...envelope } = message
  return envelope
}

/** The message of an event; undefined for one that only changes the state. */
export function parkedMessage({ data, metadata, type }: StoredEvent): ReceivedMessage | undefined {
  const text = metadata['message']
  if (type !== PARKED || typeof text !== 'string') return undefined
  const { offset, position: at, ...rest } = JSON.parse(text) as Envelope
  return { ...rest, offset: queueOffset(offset), position: position(at), body: data }
}

function parkingAfter({ metadata }: StoredEvent): Parking | undefined {
  const text = metadata['parking']
  if (typeof text !== 'string') return undefined
  const { next, ...rest } = JSON.parse(text) as Parking
  return { ...rest, next: streamVersion(next) }
}

/** The newest state of one stream. */
export async function readHead(
  connection: Connection,
  group: string,
  stream: string,
): Promise<ParkingHead> {
  const { events, version } = await readEvents(connection, group, {
    stream,
    fromVersion: streamVersion(Number.MAX_SAFE_INTEGER),
    maxEvents: 1,
    isBackward: true,
  })
  const [newest] = events
  return { stream, version, parking: newest === undefined ? undefined : parkingAfter(newest) }
}

/** The first message that waits, and its version; undefined when there is none. */
export async function readWaiting(
  connection: Connection,
  group: string,
  { parking, stream }: ParkingHead,
): Promise<{ readonly message: ReceivedMessage; readonly version: StreamVersion } | undefined> {
  let from = parking?.next ?? streamVersion(1)
  for (;;) {
    const request = { stream, fromVersion: from, maxEvents: 1 }
    const { events, version } = await readEvents(connection, group, request)
    const [event] = events
    if (event === undefined || from > version) return undefined
    const message = parkedMessage(event)
    if (message !== undefined) return { message, version: event.version }
    from = streamVersion(event.version + 1)
  }
}

async function readEvents(
  connection: Connection,
  group: string,
  request: {
    stream: string
    fromVersion: StreamVersion
    maxEvents: number
    isBackward?: boolean
  },
): Promise<{ readonly events: readonly StoredEvent[]; readonly version: StreamVersion }> {
  const reply = await connection.request(readStream, { category: parkedTopic(group), ...request })
  if (reply.code === ResponseCode.TOPIC_NOT_EXIST) return { events: [], version: streamVersion(0) }
  if (reply.payload === undefined) throw rejectedBy(readStream.name, reply)
  return reply.payload
}

/** The streams of all keys that the group ever parked, with their versions. */
export async function* parkingStreams(
  connection: Connection,
  group: string,
): AsyncGenerator<StreamSummary, void> {
  const category = parkedTopic(group)
  for (let after = 0; ;) {
    const request = { category, after, maxStreams: LISTED_AT_ONCE }
    const reply = await connection.request(listStreams, request)
    if (reply.code === ResponseCode.TOPIC_NOT_EXIST) return
    if (reply.payload === undefined) throw rejectedBy(listStreams.name, reply)
    const { streams, total } = reply.payload
    yield* streams
    after += streams.length
    if (streams.length === 0 || after >= total) return
  }
}
