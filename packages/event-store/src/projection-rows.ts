/**
 * Reading the rows of a projection, and proving them: the rows must be what all events make, from
 * the first one on.
 */
import * as E from 'fp-ts/lib/Either.js'
import * as O from 'fp-ts/lib/Option.js'
import { EventStoreError } from './errors.js'
import type { EventStore } from './event-store.js'
import type { EventPosition, EventStorePort } from './event-store-port.js'
import type { Projection } from './projection.js'
import { compareRows, projectedEvent, type RowsDifference } from './row-changes.js'
import type { RowSpace, RowStore } from './row-store.js'

export interface ProjectionRows<Row> {
  /** The row as the projection's codec reads it. Rejects with ROW_UNREADABLE. */
  get(key: string): Promise<O.Option<Row>>
  all(): AsyncIterable<readonly [key: string, row: Row]>
}

/**
 * The rows that readers get: of the active version. When that is another one than the definition's,
 * its rows must still fit the definition's codec.
 */
export function projectionRows<Row>(
  rows: RowStore,
  projection: Pick<Projection<Row>, 'name' | 'version' | 'decode'>,
): ProjectionRows<Row> {
  const space = async (): Promise<RowSpace> => {
    const active = await rows.active(projection.name)
    return rows.space(projection.name, active ?? projection.version)
  }
  const read = (key: string, row: unknown): Row => {
    const decoded = projection.decode(row)
    if (E.isRight(decoded)) return decoded.right
    const { name } = projection
    throw new EventStoreError('ROW_UNREADABLE', { name, key, reason: decoded.left })
  }
  return {
    async get(key) {
      const row = (await (await space()).read([key])).get(key)
      return row === undefined ? O.none : O.some(read(key, row))
    },
    async *all() {
      for await (const [key, row] of (await space()).all()) yield [key, read(key, row)] as const
    },
  }
}

const PAGE_EVENTS = 1_000

/** The rows that all events before a place make. Streams that are `parked` are left out. */
export async function foldRows(
  port: EventStorePort,
  projection: Projection<unknown>,
  { parked = {}, to }: { readonly parked?: Readonly<Record<string, string>>; to: EventPosition },
): Promise<ReadonlyMap<string, unknown>> {
  const rows = new Map<string, unknown>()
  const left = new Set<string>()
  const categories = [...projection.sets.keys()]
  for (let from = port.start; port.comparePositions(from, to) < 0;) {
    const page = await port.readEvents({ categories, from, maxEvents: PAGE_EVENTS, waitMs: 0 })
    for (const placed of page.events) {
      if (port.comparePositions(placed.position, to) >= 0) break
      const name = `${placed.category}/${placed.stream}`
      if (left.has(name)) continue
      try {
        const event = projectedEvent(projection, placed)
        const key = projection.keyOf(event)
        const row = projection.change(rows.get(key), event)
        if (row === undefined) rows.delete(key)
        else rows.set(key, row)
      } catch (thrown) {
        if (!Object.hasOwn(parked, name)) throw thrown
        left.add(name)
      }
    }
    if (page.events.length === 0) break
    from = page.next
  }
  return rows
}

/**
 * Compares the rows of a version with a fold over all events up to its checkpoint. `added` are in
 * the fold and not in the rows.
 */
export async function verifyProjection<Row>(
  { port }: Pick<EventStore, 'port'>,
  projection: Projection<Row>,
  rows: RowStore,
): Promise<RowsDifference> {
  const space = rows.space(projection.name, projection.version)
  const checkpoint = await space.checkpoint('*')
  const to = checkpoint?.next ?? (await port.end())
  const parked = checkpoint?.parked ?? {}
  const folded = await foldRows(port, projection, { to, parked })
  async function* all(): AsyncIterable<readonly [string, unknown]> {
    yield* folded
  }
  return await compareRows(space, { all })
}
