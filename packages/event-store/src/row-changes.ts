/**
 * What a page of events makes of rows, and what two sets of rows differ in. It reads rows and
 * writes none: the runner does, together with its checkpoint.
 */
import * as E from 'fp-ts/lib/Either.js'
import { isDeepStrictEqual } from 'node:util'
import type { AnyEvent } from './event-set.js'
import type { EventPosition, PlacedEvent } from './event-store-port.js'
import type { ProjectedEvent, Projection } from './projection.js'
import { undecodable } from './recorded.js'
import type { RowSpace } from './row-store.js'

/** Why a stream is left out, with the version from which on it is. */
const parkedText = (version: number, reason: unknown): string =>
  `version ${version}: ${String(reason)}`

/** From which version on a parked stream is left out; undefined when the text does not tell. */
export function parkedFrom(text: string): number | undefined {
  const [, version] = /^version (\d+): /.exec(text) ?? []
  return version === undefined ? undefined : Number(version)
}

const nameOf = ({ category, stream }: PlacedEvent): string => `${category}/${stream}`

/** One event's change of one row; rows are JSON. */
export interface RowChange {
  readonly key: string
  readonly before: unknown
  readonly after: unknown
  readonly event: ProjectedEvent<AnyEvent>
}

/** An event that could not be applied, and what there was before it. */
export interface PoisonEvent {
  readonly position: EventPosition
  readonly reason: unknown
  readonly rowsBefore: ReadonlyMap<string, unknown>
  /** How many of `changes`. */
  readonly changesBefore: number
}

export interface PageChanges {
  readonly changes: readonly RowChange[]
  readonly rows: ReadonlyMap<string, unknown>
  /** The first event that could not be applied. */
  readonly poison: PoisonEvent | undefined
  readonly parked: Readonly<Record<string, string>>
}

/** The event as a projection sees it. Throws UNDECODABLE. */
export function projectedEvent(
  { sets }: Pick<Projection<unknown>, 'sets'>,
  placed: PlacedEvent,
): ProjectedEvent<AnyEvent> {
  const { category, metadata, stream, version } = placed
  const set = sets.get(category)
  if (set === undefined) throw new Error(`the projection reads no category ${category}`)
  const decoded = set.decode(stream, placed)
  if (E.isLeft(decoded)) throw undecodable(decoded.left)
  return { event: decoded.right, category, stream, version, metadata }
}

/** An event with the key of its row, or why it has none. */
type Prepared =
  | { readonly event: ProjectedEvent<AnyEvent>; readonly key: string }
  | { readonly reason: unknown }

function prepare(projection: Projection<unknown>, placed: PlacedEvent): Prepared {
  try {
    const event = projectedEvent(projection, placed)
    return { event, key: projection.keyOf(event) }
  } catch (reason) {
    return { reason }
  }
}

export interface ChangesPage {
  readonly events: readonly PlacedEvent[]
  readonly parked: Readonly<Record<string, string>>
  /** Leaves `changes` empty when false: nobody is told of them. */
  readonly isTold: boolean
}

/** What the events make of the rows; streams of poison events are left out from there on. */
export async function changesOf(
  projection: Projection<unknown>,
  space: Pick<RowSpace, 'read'>,
  page: ChangesPage,
): Promise<PageChanges> {
  const prepared: Prepared[] = []
  const keys = new Set<string>()
  for (const placed of page.events) {
    const one = prepare(projection, placed)
    if ('key' in one) keys.add(one.key)
    prepared.push(one)
  }
  const known = await space.read([...keys])
  const rows = new Map<string, unknown>()
  const parked = new Map(Object.entries(page.parked))
  const changes: RowChange[] = []
  let poison: PoisonEvent | undefined
  for (const [index, placed] of page.events.entries()) {
    const one = prepared[index]
    if (one === undefined || (parked.size > 0 && parked.has(nameOf(placed)))) continue
    try {
      if ('reason' in one) throw one.reason
      const { event, key } = one
      const before = rows.has(key) ? rows.get(key) : known.get(key)
      const after = projection.change(before, event)
      rows.set(key, after)
      if (page.isTold) changes.push({ key, before, after, event })
    } catch (thrown) {
      poison ??= {
        position: placed.position,
        reason: thrown,
        rowsBefore: new Map(rows),
        changesBefore: changes.length,
      }
      parked.set(nameOf(placed), parkedText(placed.version, thrown))
    }
  }
  return { changes, rows, poison, parked: Object.fromEntries(parked) }
}

/** What differs between two sets of rows. */
export interface RowsDifference {
  readonly same: number
  /** Keys, at most 100 of each; the counts are whole. */
  readonly changed: readonly string[]
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly counts: { readonly changed: number; readonly added: number; readonly removed: number }
}

const KEYS_SHOWN_MAX = 100

/** Compares rows by key; `added` are only in the new ones. */
export async function compareRows(
  older: Pick<RowSpace, 'all'>,
  newer: Pick<RowSpace, 'all'>,
): Promise<RowsDifference> {
  const rows = new Map<string, unknown>()
  for await (const [key, row] of newer.all()) rows.set(key, row)
  const counts = { changed: 0, added: 0, removed: 0 }
  const keys = { changed: [] as string[], added: [] as string[], removed: [] as string[] }
  const note = (what: keyof typeof counts, key: string): void => {
    counts[what] += 1
    if (keys[what].length < KEYS_SHOWN_MAX) keys[what].push(key)
  }
  let same = 0
  for await (const [key, row] of older.all()) {
    if (!rows.has(key)) note('removed', key)
    else if (isDeepStrictEqual(rows.get(key), row)) same += 1
    else note('changed', key)
    rows.delete(key)
  }
  for (const key of rows.keys()) note('added', key)
  return { same, ...keys, counts }
}
