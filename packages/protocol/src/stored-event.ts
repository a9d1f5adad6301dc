/**
 * An event as it is read from a stream, in a binary body:
 *
 *   version u64, type text, schema u32, data bytes, metadata (metadata-map.ts), position u64,
 *   storedAtMs u64
 */
import {
  type Metadata,
  position,
  type Position,
  streamVersion,
  type StreamState,
  type StreamVersion,
} from '@sagalog/kernel'
import type { ByteReader } from './byte-reader.js'
import type { ByteWriter } from './byte-writer.js'
import { readMetadata, writeMetadata } from './metadata-map.js'

export interface StoredEvent {
  readonly version: StreamVersion
  readonly type: string
  /** Version of the payload's codec. */
  readonly schema: number
  readonly data: Buffer
  readonly metadata: Metadata
  readonly position: Position
  readonly storedAtMs: number
}

/** What a stream that is not open is, and why. */
export interface StreamClosed {
  readonly state: Exclude<StreamState, 'open'>
  readonly reason: string
}

export function writeStoredEvent(writer: ByteWriter, event: StoredEvent): void {
  writer.u64(event.version)
  writer.text(event.type, 'event type')
  writer.u32(event.schema)
  writer.bytes(event.data, 'event data')
  writeMetadata(writer, event.metadata)
  writer.u64(event.position)
  writer.u64(event.storedAtMs)
}

export const readStoredEvent = (reader: ByteReader): StoredEvent => ({
  version: streamVersion(reader.u64('version')),
  type: reader.text('event type'),
  schema: reader.u32('event schema'),
  data: reader.bytes('event data'),
  metadata: readMetadata(reader),
  position: position(reader.u64('position')),
  storedAtMs: reader.u64('storedAtMs'),
})

const STATES = ['open', 'archived', 'deleted'] as const

/** A state of a stream: u8, 0 open, 1 archived, 2 deleted. */
export const writeStreamState = (writer: ByteWriter, state: StreamState): void =>
  writer.u8(STATES.indexOf(state))

export function readStreamState(reader: ByteReader): StreamState {
  const tag = reader.u8('stream state')
  const state = STATES[tag]
  if (state === undefined) throw reader.malformed(`stream state ${tag}, before this`)
  return state
}

/** A state of a stream; when it is not open, the reason text follows. */
export function writeClosed(writer: ByteWriter, closed: StreamClosed | undefined): void {
  writeStreamState(writer, closed?.state ?? 'open')
  if (closed !== undefined) writer.text(closed.reason, 'reason')
}

export function readClosed(reader: ByteReader): StreamClosed | undefined {
  const state = readStreamState(reader)
  return state === 'open' ? undefined : { state, reason: reader.text('reason') }
}
