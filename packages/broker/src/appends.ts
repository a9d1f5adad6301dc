/**
 * Appends to streams as part of a commit: the expected versions, and the event drafts. Several
 * appends of one commit to one stream see each other.
 */
import {
  type CommitRefusal,
  type Draft,
  type EventDraft,
  type ExpectedVersion,
  type StreamAppend,
  streamVersion,
  type StreamVersion,
} from '@sagalog/kernel'
import {
  encodeProperties,
  encodeStoredMessage,
  queueForKey,
  ResponseCode,
  storedMessageBytes,
} from '@sagalog/protocol'
import { writableTopic } from './admit.js'
import type { Core, Refusal } from './core.js'
import { BODY_BYTES_MAX, PROPERTIES_BYTES_MAX } from './limits.js'
import { type Placement, storedFields } from './messages.js'
import { ATTRIBUTE_BYTES_MAX, encodeEventAttributes } from './records/event-record.js'

class Heads {
  private readonly core: Core
  private readonly moved = new Map<string, StreamVersion>()

  constructor(core: Core) {
    this.core = core
  }

  of(append: StreamAppend): StreamVersion {
    const moved = this.moved.get(`${append.category}\u0000${append.stream}`)
    return moved ?? this.core.state.streams.version(append.category, append.stream)
  }

  move(append: StreamAppend): StreamVersion {
    const version = streamVersion(this.of(append) + append.events.length)
    this.moved.set(`${append.category}\u0000${append.stream}`, version)
    return version
  }
}

function meets(actual: StreamVersion, expected: ExpectedVersion): boolean {
  if (expected === 'any') return true
  if (expected === 'empty') return actual === 0
  if (expected === 'exists') return actual > 0
  return actual === expected
}

/** The first append whose stream is not as expected. */
export function versionConflict(
  core: Core,
  appends: readonly StreamAppend[],
): CommitRefusal | undefined {
  const heads = new Heads(core)
  for (const append of appends) {
    const actual = heads.of(append)
    if (!meets(actual, append.expected)) {
      const { category, stream } = append
      return { reason: 'version-conflict', category, stream, actual }
    }
    heads.move(append)
  }
  return undefined
}

export function appendDrafts(
  core: Core,
  appends: readonly StreamAppend[],
  placement: Placement,
): { drafts: Draft[]; versions: StreamVersion[] } | { refusal: Refusal } {
  const heads = new Heads(core)
  const drafts: Draft[] = []
  const versions: StreamVersion[] = []
  for (const append of appends) {
    const found = writableTopic(core, append.category, 'event')
    if ('refusal' in found) return found
    const queueId = queueForKey(append.stream, found.topic.writeQueues)
    let version = heads.of(append)
    for (const event of append.events) {
      version = streamVersion(version + 1)
      const draft = eventDraft(core, { append, event, queueId, version }, placement)
      if ('refusal' in draft) return draft
      drafts.push(draft)
    }
    versions.push(heads.move(append))
  }
  return { drafts, versions }
}

interface PlacedEvent {
  readonly append: StreamAppend
  readonly event: EventDraft
  readonly queueId: number
  readonly version: StreamVersion
}

function eventDraft(
  core: Core,
  { append, event, queueId, version }: PlacedEvent,
  placement: Placement,
): Draft | { refusal: Refusal } {
  const { category, stream } = append
  const metadata = event.metadata ?? {}
  const size = attributeBytes(stream, event.type, metadata)
  const properties = encodeProperties([
    ['__SHARDINGKEY', stream],
    ['UNIQ_KEY', core.uniqueId()],
    ['TAGS', event.type],
    ['sagalog.stream', stream],
    ['sagalog.type', event.type],
    ['sagalog.version', String(version)],
    ['sagalog.schema', String(event.schema)],
  ])
  if (
    size > ATTRIBUTE_BYTES_MAX ||
    Buffer.byteLength(properties) > PROPERTIES_BYTES_MAX ||
    event.data.length > BODY_BYTES_MAX
  ) {
    const remark = `an event of stream ${stream.slice(0, 80)} is too large: ${event.data.length}B of data, ${size}B of attributes`
    return { refusal: { code: ResponseCode.MESSAGE_ILLEGAL, remark } }
  }
  const attributes = encodeEventAttributes({
    stream,
    version,
    type: event.type,
    schema: event.schema,
    metadata,
  })
  const offset = placement.next(category, queueId)
  const content = { topic: category, queueId, body: event.data, properties }
  const fields = storedFields(core, content, offset)
  return {
    kind: 'event',
    bytes: attributes.length + storedMessageBytes(fields),
    encodeAt(target, at, position) {
      attributes.copy(target, at)
      encodeStoredMessage(fields, target, at + attributes.length, position)
    },
  }
}

/** An upper bound of what the attributes take, so that they are refused and not asserted. */
function attributeBytes(
  stream: string,
  type: string,
  metadata: Readonly<Record<string, string>>,
): number {
  let bytes = 64 + Buffer.byteLength(stream) + Buffer.byteLength(type)
  for (const [key, value] of Object.entries(metadata))
    bytes += 4 + Buffer.byteLength(key) + Buffer.byteLength(value)
  return bytes
}
