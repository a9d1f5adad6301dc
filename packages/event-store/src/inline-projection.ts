/**
 * Inline projections: rows that change in the same commit as the events that they are made of. The
 * committer computes them, and they travel in the commit with the version that each was computed
 * from, so that a row can't be newer or older than its events. Rows are streams (stream-rows.ts).
 */
import { assert, type StreamClosing, type StreamVersion, streamVersion } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import { EventStoreError } from './errors.js'
import type { AnyEvent } from './event-set.js'
import { appendOf, type EventStore, NEVER, type PreparedAppend } from './event-store.js'
import {
  type AppendResult,
  appendResultOf,
  type ChangeResult,
  resultForAll,
} from './event-store-port.js'
import { takeOver } from './inline-standing.js'
import type { ProjectedEvent, Projection } from './projection.js'
import { undecodable } from './recorded.js'
import { ACTIVE_CATEGORY, rowAppend, rowCategory, storedRow } from './stream-rows.js'

export interface InlineOptions {
  /** How often a change is computed again when a row has changed meanwhile; 8 unless told. */
  readonly attemptsMax?: number
}

/** The appending half of a store; every append changes the rows of the projections with it. */
export type InlineAppends = Pick<EventStore, 'append' | 'appendAll' | 'ensureCategory'>

const ATTEMPTS_MAX = 8
const NEWEST = Number.MAX_SAFE_INTEGER as StreamVersion
const QUEUES = 4

/**
 * Appends through which rows change with events. All writers of the categories must append through
 * it; `verifyProjection` tells when one did not. A projection's function that throws refuses the
 * append: nothing is written. A version whose rows lack events, or that is not the active one any
 * more, refuses each append with PROJECTION_NOT_BUILT.
 */
export function withInlineProjections(
  store: EventStore,
  projections: readonly Projection<unknown>[],
  { attemptsMax = ATTEMPTS_MAX }: InlineOptions = {},
): InlineAppends {
  const { port } = store
  const fences = new Map<string, Promise<StreamClosing>>()

  function fenceOf(projection: Projection<unknown>): Promise<StreamClosing> {
    const { name, version } = projection
    const known = fences.get(name)
    if (known !== undefined) return known
    const taken = port
      .ensureCategory(rowCategory(name, version), { queues: QUEUES })
      .then(() => takeOver(port, projection))
    fences.set(name, taken)
    taken.catch(() => fences.delete(name))
    return taken
  }

  async function appendAll(
    appends: readonly PreparedAppend[],
    key: string | undefined,
  ): Promise<ChangeResult> {
    for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
      const closings = await Promise.all(projections.map(fenceOf))
      const placed = await basesOf(store, appends)
      // What can't be taken is left to the store to refuse: with a key it may be a repeat.
      if (placed === undefined)
        return resultForAll(appends, await port.change(keyed({ appends }, key)))
      const rows = await rowAppends(store, projections, placed).catch((thrown: unknown) =>
        repeatOr(thrown, appends, key),
      )
      if ('versions' in rows) return rows
      const all = [...placed, ...rows]
      const result = await port.change(keyed({ appends: all, closings }, key))
      if ('versions' in result) return resultForAll(appends, result)
      if (result.category === ACTIVE_CATEGORY) fences.delete(result.stream)
      const isOfCaller = appends.some(
        ({ category, expected, stream }) =>
          category === result.category &&
          stream === result.stream &&
          (typeof expected === 'number' || expected === 'empty'),
      )
      if (isOfCaller) return result
    }
    const [{ category, stream } = { category: '', stream: '' }] = appends
    throw new EventStoreError('CONTENDED', { category, stream, attempts: attemptsMax })
  }

  /** A repeat is answered as the first change was, whatever its events would do to the rows now. */
  async function repeatOr(
    thrown: unknown,
    appends: readonly PreparedAppend[],
    key: string | undefined,
  ): Promise<Extract<ChangeResult, { versions: unknown }>> {
    if (key === undefined) throw thrown
    const never = appends.map((append) => ({ ...append, expected: NEVER }))
    const result = resultForAll(appends, await port.change(keyed({ appends: never }, key)))
    if ('versions' in result) return result
    throw thrown
  }

  return {
    ensureCategory: (set, options) => store.ensureCategory(set, options),
    async append(set, stream, events, { idempotencyKey, ...options }): Promise<AppendResult> {
      const append = appendOf(set, stream, events, options)
      const key =
        idempotencyKey === undefined
          ? undefined
          : `${append.category}/${stream.length}:${stream}/${idempotencyKey}`
      return appendResultOf(await appendAll([append], key))
    },
    async appendAll(appends, { idempotencyKey } = {}) {
      assert(appends.length > 0, 'appends to at least one stream')
      return await appendAll(
        appends,
        idempotencyKey === undefined ? undefined : `*/${idempotencyKey}`,
      )
    },
  }
}

const keyed = <Change extends object>(change: Change, key: string | undefined) =>
  key === undefined ? change : { ...change, key }

/** An append that names the version before it. */
interface BasedAppend extends PreparedAppend {
  readonly expected: StreamVersion
}

/**
 * The rows depend on the versions that the events will have, so they are fixed first. Undefined
 * when a stream that must exist does not.
 */
async function basesOf(
  { port }: EventStore,
  appends: readonly PreparedAppend[],
): Promise<BasedAppend[] | undefined> {
  const heads = new Map<string, number>()
  const based: BasedAppend[] = []
  for (const append of appends) {
    const { category, events, stream } = append
    const name = `${category}/${stream}`
    const request = { category, stream, fromVersion: NEWEST, maxEvents: 1, isBackward: true }
    const head = heads.get(name) ?? (await port.readPage(request)).version
    if (append.expected === 'exists' && head === 0) return undefined
    const isNamed = append.expected !== 'any' && append.expected !== 'exists'
    const named = append.expected === 'empty' ? 0 : append.expected
    const expected = streamVersion(isNamed && typeof named === 'number' ? named : head)
    based.push({ ...append, expected })
    heads.set(name, expected + events.length)
  }
  return based
}

async function rowAppends(
  { port }: EventStore,
  projections: readonly Projection<unknown>[],
  appends: readonly BasedAppend[],
): Promise<PreparedAppend[]> {
  const rows: PreparedAppend[] = []
  for (const projection of projections) {
    const category = rowCategory(projection.name, projection.version)
    const changed = new Map<string, { row: unknown; readonly version: StreamVersion }>()
    for (const append of appends) {
      for (const event of projectedOf(projection, append)) {
        const key = projection.keyOf(event)
        const known = changed.get(key) ?? (await storedRow(port, category, key))
        changed.set(key, { row: projection.change(known.row, event), version: known.version })
      }
    }
    for (const [key, { row, version }] of changed) {
      const append = rowAppend({ category, key }, version, row)
      rows.push({ ...append, events: [...append.events] })
    }
  }
  return rows
}

/** The events of an append as the projection will see them when they are read. */
function* projectedOf(
  { sets }: Projection<unknown>,
  { category, events, expected, stream }: BasedAppend,
): Iterable<ProjectedEvent<AnyEvent>> {
  const set = sets.get(category)
  if (set === undefined) return
  for (const [index, { data, metadata = {}, schema, type }] of events.entries()) {
    const version = streamVersion(expected + index + 1)
    const decoded = set.decode(stream, { version, type, schema, data })
    if (E.isLeft(decoded)) throw undecodable(decoded.left)
    yield { event: decoded.right, category, stream, version, metadata }
  }
}
