/**
 * Appends to streams as part of a commit, and changes of their states: the expected versions, and
 * the drafts. Several appends of one commit to one stream see each other; closings come after them.
 */
import {
  type Commit,
  type CommitRefusal,
  type Draft,
  type EventDraft,
  type ExpectedVersion,
  type Metadata,
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
import { streamStateDraft } from './records/stream-facts.js'

class Heads {
  private readonly core: Core
  private readonly moved = new Map<string, StreamVersion>()

  constructor(core: Core) {
    this.core = core
  }

  of(append: Pick<StreamAppend, 'category' | 'stream'>): StreamVersion {
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

/** The first append or closing whose stream is not as expected, or takes no change any more. */
export function streamRefusal(
  core: Core,
  { appends, closings = [] }: Pick<Commit, 'appends' | 'closings'>,
): CommitRefusal | undefined {
  const heads = new Heads(core)
  for (const append of appends) {
    const problem = closedProblem(core, append) ?? versionProblem(heads, append)
    if (problem !== undefined) return problem
    heads.move(append)
  }
  for (const closing of closings) {
    const problem = closedProblem(core, closing) ?? versionProblem(heads, closing)
    if (problem !== undefined) return problem
  }
  return undefined
}

type StreamChange = Pick<StreamAppend, 'category' | 'stream' | 'expected'>

function versionProblem(heads: Heads, change: StreamChange): CommitRefusal | undefined {
  const actual = heads.of(change)
  if (meets(actual, change.expected)) return undefined
  const { category, stream } = change
  return { reason: 'version-conflict', category, stream, actual }
}

/** An archived stream takes another state and no events, a deleted one takes nothing. */
function closedProblem(
  core: Core,
  change: StreamChange & { readonly state?: unknown },
): CommitRefusal | undefined {
  const { category, stream } = change
  const closed = core.state.streamStates.get(category, stream)
  if (closed === undefined) return undefined
  if (closed.state === 'archived' && change.state !== undefined) return undefined
  return { reason: 'stream-closed', category, stream, state: closed.state, why: closed.reason }
}

export function closingDrafts(
  core: Core,
  { closings = [] }: Pick<Commit, 'closings'>,
): Draft[] | { refusal: Refusal } {
  const drafts: Draft[] = []
  for (const { category, reason, state, stream } of closings) {
    const found = writableTopic(core, category, 'event')
    if ('refusal' in found) return found
    const changedAtMs = core.clock.wallMs()
    drafts.push(streamStateDraft({ category, stream, state, reason, changedAtMs }))
  }
  return drafts
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
function attributeBytes(stream: string, type: string, metadata: Metadata): number {
  let bytes = 96 + Buffer.byteLength(stream) + Buffer.byteLength(type)
  for (const [key, value] of Object.entries(metadata))
    bytes += 4 + Buffer.byteLength(key) + Buffer.byteLength(value)
  return bytes
}
