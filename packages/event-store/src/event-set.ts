/**
 * The events of one category: their codecs, their versions and how old versions are read. It turns
 * events into bytes and back and knows nothing of streams or transport. Invariant: what `encode`
 * gives, `decode` reads; a stored event that cannot be read is a value, never a throw.
 */
import { assert, type EventDraft, type Metadata, type StreamVersion } from '@sagalog/kernel'
import type { StoredEvent } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { reportOf } from './codec-report.js'

export interface AnyEvent {
  readonly type: string
  readonly data: unknown
}

/** Reads a payload of version n as one of version n + 1; left says why it cannot. */
export type Upcast = (old: unknown) => E.Either<string, unknown>

/** An event whose payload has changed since its first version. */
export interface VersionedEvent<Codec extends t.Mixed = t.Mixed> {
  /** The version that is written today. */
  readonly version: number
  readonly codec: Codec
  /** One step for each older version: `upcast[n]` leads from n to n + 1. */
  readonly upcast: Readonly<Record<number, Upcast>>
}

/** A codec alone is version 1. */
export type EventDefinition = t.Mixed | VersionedEvent
export type EventDefinitions = Readonly<Record<string, EventDefinition>>

type CodecOf<Definition> =
  Definition extends VersionedEvent<infer Codec>
    ? Codec
    : Definition extends t.Mixed
      ? Definition
      : never

/** The union of the events that definitions describe, told apart by `type`. */
export type EventUnion<Definitions extends EventDefinitions> = {
  [Type in keyof Definitions & string]: {
    readonly type: Type
    readonly data: t.TypeOf<CodecOf<Definitions[Type]>>
  }
}[keyof Definitions & string]

/** The member of a union of events that has this type. */
export type EventOf<Event extends AnyEvent, Type extends Event['type']> = Extract<
  Event,
  { readonly type: Type }
>

/** Why a stored event could not be read. */
export interface Undecodable {
  readonly _tag: 'Undecodable'
  readonly category: string
  readonly stream: string
  readonly version: StreamVersion
  readonly type: string
  readonly schema: number
  /** What failed: the name, the schema number, the bytes, a step from an old version, the codec. */
  readonly failed: 'type' | 'schema' | 'bytes' | 'upcast' | 'payload'
  readonly reason: string
}

/** The part of a stored event that becomes a typed one. */
export type StoredPayload = Pick<StoredEvent, 'version' | 'type' | 'schema' | 'data'>

/** What readers need of a set: a name, and how its events are read. */
export interface ReadableSet<out Event extends AnyEvent> {
  /** The event topic that holds the streams. */
  readonly category: string
  readonly types: readonly Event['type'][]
  decode(stream: string, stored: StoredPayload): E.Either<Undecodable, Event>
}

export interface EventSet<Event extends AnyEvent> extends ReadableSet<Event> {
  /** The codec of each event's payload, of the version that is written today. */
  readonly codecs: Readonly<Record<Event['type'], t.Mixed>>
  /** A constructor per event. */
  readonly make: {
    readonly [Type in Event['type']]: (data: EventOf<Event, Type>['data']) => EventOf<Event, Type>
  }
  /** Throws an AssertionError for an event that its own codec refuses: it could never be read. */
  encode(event: Event, metadata?: Metadata): EventDraft
}

/** The union of a set's events: `type OrderEvent = EventsOf<typeof OrderEvents>`. */
export type EventsOf<Set> = Set extends EventSet<infer Event> ? Event : never

type Failure = readonly [failed: Undecodable['failed'], reason: string]

function isVersioned(definition: EventDefinition): definition is VersionedEvent {
  return 'codec' in definition && 'upcast' in definition
}

function versioned(type: string, definition: EventDefinition): VersionedEvent {
  if (!isVersioned(definition)) return { version: 1, codec: definition, upcast: {} }
  const { version, upcast } = definition
  assert(Number.isSafeInteger(version) && version >= 1, `${type}: versions are counted from 1`)
  for (let old = 1; old < version; old += 1)
    assert(upcast[old] !== undefined, `${type}: no upcast leads on from version ${old}`)
  return definition
}

/** No bytes stand for `undefined`, which JSON has no word for. */
function payloadBytes(value: unknown): Buffer {
  return value === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(value))
}

function upcastStep(step: Upcast, old: number, payload: unknown): E.Either<Failure, unknown> {
  const failure = (reason: unknown): Failure => ['upcast', `from version ${old}: ${String(reason)}`]
  try {
    const next = step(payload)
    return E.isLeft(next) ? E.left(failure(next.left)) : next
  } catch (cause) {
    return E.left(failure(cause))
  }
}

/** One path without detours: it runs for every event that is read. */
function read(definition: VersionedEvent, stored: StoredPayload): E.Either<Failure, unknown> {
  const { codec, upcast, version } = definition
  const { data, schema } = stored
  if (schema < 1 || schema > version)
    return E.left(['schema', `version ${schema} is unknown, ${version} is the newest here`])
  let payload: unknown
  try {
    payload = data.length === 0 ? undefined : JSON.parse(data.toString('utf8'))
  } catch (cause) {
    return E.left(['bytes', `not JSON: ${String(cause)}`])
  }
  for (let old = schema; old < version; old += 1) {
    const step = upcast[old]
    assert(step !== undefined, 'every older version has a step')
    const next = upcastStep(step, old, payload)
    if (E.isLeft(next)) return next
    payload = next.right
  }
  try {
    const decoded = codec.decode(payload)
    return E.isLeft(decoded) ? E.left(['payload', reportOf(decoded.left)]) : decoded
  } catch (cause) {
    return E.left(['payload', `the codec threw: ${String(cause)}`])
  }
}

/**
 * Defines the events of a category: `defineEvents('order', { Placed: PlacedCodec, Paid: { version:
 * 2, codec, upcast: { 1: fromV1 } } })`.
 */
export function defineEvents<const Definitions extends EventDefinitions>(
  category: string,
  definitions: Definitions,
): EventSet<EventUnion<Definitions>> {
  type Event = EventUnion<Definitions>
  assert(category !== '', 'a category has a name')
  const rows = new Map<string, VersionedEvent>()
  for (const [type, definition] of Object.entries(definitions))
    rows.set(type, versioned(type, definition))
  const types = [...rows.keys()]
  const constructors = types.map((type) => [type, (data: unknown) => ({ type, data })] as const)

  return {
    category,
    types,
    codecs: Object.fromEntries(
      [...rows].map(([type, { codec }]) => [type, codec]),
    ) as EventSet<Event>['codecs'],
    make: Object.fromEntries(constructors) as unknown as EventSet<Event>['make'],
    encode(event, metadata) {
      const row = rows.get(event.type)
      assert(row !== undefined, `${category} has no event ${event.type}`)
      const { codec, version } = row
      assert(codec.is(event.data), `the payload of ${event.type} does not fit its codec`)
      const draft = {
        type: event.type,
        schema: version,
        data: payloadBytes(codec.encode(event.data)),
      }
      return metadata === undefined ? draft : { ...draft, metadata }
    },
    decode(stream, stored) {
      const { type } = stored
      const row = rows.get(type)
      const payload: E.Either<Failure, unknown> =
        row === undefined
          ? E.left(['type', `${category} has no event of this name`])
          : read(row, stored)
      if (E.isRight(payload)) return E.right({ type, data: payload.right })
      const [failed, reason] = payload.left
      const { schema, version } = stored
      const where = { category, stream, version, type, schema }
      return E.left({ _tag: 'Undecodable', ...where, failed, reason })
    },
  }
}
