/**
 * Reading the rows of a projection, and proving them: the rows must be what all events make, from
 * the first one on.
 */
import * as E from 'fp-ts/lib/Either.js'
import * as O from 'fp-ts/lib/Option.js'
import { EventStoreError } from './errors.js'
import type { EventStore } from './event-store.js'
import type { AnyEvent } from './event-set.js'
import type { EventPosition, EventStorePort, PlacedEvent } from './event-store-port.js'
import { isInline } from './inline-standing.js'
import type { ProjectedEvent, Projection } from './projection.js'
import { compareRows, parkedFrom, projectedEvent, type RowsDifference } from './row-changes.js'
import type { RowSpace, RowStore } from './row-store.js'
import { checkpointsOf } from './projection-parts.js'

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

/** Rows in memory that are what the events up to a place make, and can be led on from there. */
export interface FoldedRows {
  readonly rows: Map<string, unknown>
  /** Everything before it is in the rows. */
  next: EventPosition
}

export interface FoldRowsOptions {
  readonly to: EventPosition
  /** Streams that are left out, each from the version on that its text names. */
  readonly parked?: Readonly<Record<string, string>>
  /** Only this share of the events. */
  readonly part?: { readonly category: string; readonly queueId: number }
  /** Told of each event that has been applied. */
  readonly onApplied?: (event: ProjectedEvent<AnyEvent>, key: string) => void
  /** Told of the event before what its function threw is thrown. */
  readonly onPoison?: (event: PlacedEvent, thrown: unknown) => void
}

/** Leads rows on to a place. Throws what a function throws for a stream that is not parked. */
export async function foldOn(
  port: EventStorePort,
  projection: Projection<unknown>,
  folded: FoldedRows,
  { onApplied, onPoison, parked = {}, part, to }: FoldRowsOptions,
): Promise<void> {
  const { rows } = folded
  const left = new Set<string>()
  const wanted =
    part === undefined
      ? { categories: [...projection.sets.keys()] }
      : { categories: [part.category], queueId: part.queueId }
  const apply = (placed: PlacedEvent): void => {
    const name = `${placed.category}/${placed.stream}`
    const text = Object.hasOwn(parked, name) ? parked[name] : undefined
    const from = text === undefined ? undefined : parkedFrom(text)
    if (left.has(name) || (from !== undefined && placed.version >= from)) return
    try {
      const event = projectedEvent(projection, placed)
      const key = projection.keyOf(event)
      const row = projection.change(rows.get(key), event)
      if (row === undefined) rows.delete(key)
      else rows.set(key, row)
      onApplied?.(event, key)
    } catch (thrown) {
      if (text === undefined) {
        onPoison?.(placed, thrown)
        throw thrown
      }
      left.add(name)
    }
  }
  while (port.comparePositions(folded.next, to) < 0) {
    const { next: from } = folded
    const page = await port.readEvents({ ...wanted, from, maxEvents: PAGE_EVENTS, waitMs: 0 })
    for (const placed of page.events)
      if (port.comparePositions(placed.position, to) < 0) apply(placed)
    const isOver = page.events.length === 0 || port.comparePositions(page.next, to) >= 0
    folded.next = isOver ? to : page.next
  }
}

/** The rows that all events before a place make. Streams that are `parked` are left out. */
export async function foldRows(
  port: EventStorePort,
  projection: Projection<unknown>,
  options: Pick<FoldRowsOptions, 'parked' | 'to'>,
): Promise<ReadonlyMap<string, unknown>> {
  const folded = { rows: new Map<string, unknown>(), next: port.start }
  await foldOn(port, projection, folded, options)
  return folded.rows
}

/**
 * Compares the rows of a version with a fold over all events up to its checkpoints, or to the end
 * when they are kept inline. `added` are in the fold and not in the rows.
 */
export async function verifyProjection<Row>(
  { port }: Pick<EventStore, 'port'>,
  projection: Projection<Row>,
  rows: RowStore,
): Promise<RowsDifference> {
  const space = rows.space(projection.name, projection.version)
  const folded = new Map<string, unknown>()
  const checkpoints = await checkpointsOf(port, projection, space)
  const isWhole = checkpoints.length === 0 || (await isInline(rows, projection))
  const wanted: FoldRowsOptions[] = isWhole
    ? [{ to: await port.end() }]
    : checkpoints.map(({ checkpoint, part }) => ({
        to: checkpoint.next,
        parked: checkpoint.parked,
        ...(part === undefined ? {} : { part }),
      }))
  // Rows of parts belong to their streams: no two parts have one.
  for (const options of wanted)
    await foldOn(port, projection, { rows: folded, next: port.start }, options)
  async function* all(): AsyncIterable<readonly [string, unknown]> {
    yield* folded
  }
  return await compareRows(space, { all })
}
