/**
 * Snapshots of states: the state of a stream at a version, kept as the newest event of a stream of
 * its own. They only save reading: what a snapshot says is what a replay gives, and one that can't
 * be used (another schema, unreadable, newer than the stream) is as if it were not there.
 */
import { assert, streamVersion, type StreamVersion } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { EventStoreError } from './errors.js'
import type { EventStorePort } from './event-store-port.js'
import type { VersionedState } from './state-cache.js'

export interface SnapshotOptions<State> {
  /** Of the state's schema. Raise it when `evolve` or the codec changes: older ones are ignored. */
  readonly version: number
  readonly codec: t.Type<State, unknown>
  /** Events between two snapshots of a stream; shorter streams never have one. 100 unless told. */
  readonly every?: number
}

export interface Snapshots<State> {
  readonly every: number
  /** The newest usable snapshot at or below `head`. */
  load(stream: string, head: StreamVersion): Promise<VersionedState<State> | undefined>
  /** Keeps a state; a failure costs reading later and is not told of. */
  save(stream: string, entry: VersionedState<State>): Promise<void>
}

const EVERY = 100
const NEWEST = Number.MAX_SAFE_INTEGER as StreamVersion
const Stored = t.type({ version: t.number, state: t.unknown })

/** The snapshots of the streams of a category. */
export function snapshotsOf<State>(
  port: EventStorePort,
  ofCategory: string,
  { codec, every = EVERY, version: schema }: SnapshotOptions<State>,
): Snapshots<State> {
  assert(Number.isSafeInteger(schema) && schema >= 1, 'versions are counted from 1')
  assert(Number.isSafeInteger(every) && every >= 1, 'a snapshot is made every so many events')
  const category = `${ofCategory}-snapshots`
  let isThere = false

  function read(data: Buffer, head: StreamVersion): VersionedState<State> | undefined {
    const stored = Stored.decode(JSON.parse(data.toString('utf8')))
    if (E.isLeft(stored) || stored.right.version > head) return undefined
    const state = codec.decode(stored.right.state)
    if (E.isLeft(state)) return undefined
    return { state: state.right, version: streamVersion(stored.right.version) }
  }

  return {
    every,
    async load(stream, head) {
      try {
        const request = { category, stream, fromVersion: NEWEST, maxEvents: 1, isBackward: true }
        const [newest] = (await port.readPage(request)).events
        if (newest === undefined || newest.schema !== schema) return undefined
        return read(newest.data, head)
      } catch (cause) {
        // No snapshot was ever made, or the store is away: the events themselves are read next.
        if (EventStoreError.is(cause)) return undefined
        throw cause
      }
    },
    async save(stream, { state, version }) {
      const value = { version, state: codec.encode(state) }
      const events = [{ type: 'Snapshot', schema, data: Buffer.from(JSON.stringify(value)) }]
      try {
        if (!isThere) await port.ensureCategory(category, { queues: 1 })
        isThere = true
        await port.append({ category, stream, expected: 'any', events })
      } catch (cause) {
        if (!EventStoreError.is(cause)) throw cause
      }
    },
  }
}
