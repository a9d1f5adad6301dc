/**
 * Rows of projections as streams of the event store itself: a row is the newest event of its
 * stream, and a checkpoint is one more stream, so rows and checkpoint are one change. Nothing else
 * is needed to keep a read model over restarts, and inline projections write the same streams.
 */
import { type StreamAppend, streamVersion, type StreamVersion } from '@sagalog/kernel'
import type { EventStorePort } from './event-store-port.js'
import type { Checkpoint, RowsChange, RowSpace, RowStore } from './row-store.js'

/** The category of the rows of one version of a projection. */
export const rowCategory = (projection: string, version: number): string =>
  `${projection}-v${version}`
/** One stream for each projection; its newest event names the version that readers get. */
export const ACTIVE_CATEGORY = 'sagalog-projections'
const ROW_PREFIX = 'row/'
const CHECKPOINT_PREFIX = 'checkpoint/'
const NEWEST = Number.MAX_SAFE_INTEGER as StreamVersion
const LIST_STREAMS = 1_000
const QUEUES = 4

export interface StoredRow {
  /** Undefined when there is none. */
  readonly row: unknown
  /** Of the row's stream. */
  readonly version: StreamVersion
}

/** The newest row of a stream of rows. */
async function newest(port: EventStorePort, category: string, stream: string): Promise<StoredRow> {
  const request = { category, stream, fromVersion: NEWEST, maxEvents: 1, isBackward: true }
  const { events, version } = await port.readPage(request)
  const [event] = events
  if (event === undefined || event.type === 'None') return { row: undefined, version }
  const row: unknown = JSON.parse(event.data.toString('utf8'))
  return { row, version }
}

/** The row under a key, with what a change of it must expect. */
export const storedRow = (port: EventStorePort, category: string, key: string) =>
  newest(port, category, ROW_PREFIX + key)

/** Makes a value the newest of its stream; undefined says that there is none. */
export function valueAppend(
  where: { readonly category: string; readonly stream: string },
  expected: StreamAppend['expected'],
  value: unknown,
): StreamAppend {
  const type = value === undefined ? 'None' : 'Is'
  const data = value === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(value))
  return { ...where, expected, events: [{ type, schema: 1, data }] }
}

/** Puts a row under a key; undefined takes it away. */
export const rowAppend = (
  { category, key }: { readonly category: string; readonly key: string },
  expected: StreamAppend['expected'],
  row: unknown,
): StreamAppend => valueAppend({ category, stream: ROW_PREFIX + key }, expected, row)

/** The checkpoint of a part, with what a change of it must expect. */
export async function storedCheckpoint(
  port: EventStorePort,
  category: string,
  part: string,
): Promise<{ readonly row: Checkpoint | undefined; readonly version: StreamVersion }> {
  const { row, version } = await newest(port, category, CHECKPOINT_PREFIX + part)
  return { row: row as Checkpoint | undefined, version }
}

export const checkpointAppend = (
  { category, part }: { readonly category: string; readonly part: string },
  expected: StreamAppend['expected'],
  checkpoint: Checkpoint,
): StreamAppend => valueAppend({ category, stream: CHECKPOINT_PREFIX + part }, expected, checkpoint)

/** The version that readers get, with what a change of it must expect. */
export async function activeVersion(
  port: EventStorePort,
  projection: string,
): Promise<{ readonly active: number | undefined; readonly version: StreamVersion }> {
  await port.ensureCategory(ACTIVE_CATEGORY, { queues: 1 })
  const { row, version } = await newest(port, ACTIVE_CATEGORY, projection)
  return { active: row as number | undefined, version }
}

class StreamSpace implements RowSpace {
  readonly #port: EventStorePort
  readonly #category: string
  /** The version of each part's checkpoint as it was read or written last. */
  readonly #known = new Map<string, StreamVersion>()
  #isThere: Promise<void> | undefined

  constructor(port: EventStorePort, category: string) {
    this.#port = port
    this.#category = category
  }

  #ensure(): Promise<void> {
    this.#isThere ??= this.#port
      .ensureCategory(this.#category, { queues: QUEUES })
      .catch((cause: unknown) => {
        this.#isThere = undefined
        throw cause
      })
    return this.#isThere
  }

  async checkpoint(part: string): Promise<Checkpoint | undefined> {
    await this.#ensure()
    const { row, version } = await storedCheckpoint(this.#port, this.#category, part)
    this.#known.set(part, version)
    return row
  }

  async read(keys: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    await this.#ensure()
    const found = await Promise.all(
      keys.map(async (key) => [key, await storedRow(this.#port, this.#category, key)] as const),
    )
    const rows = found.map(([key, { row }]) => [key, row] as const)
    return new Map(rows.filter(([, row]) => row !== undefined))
  }

  async write({ after, before, part, rows }: RowsChange): Promise<boolean> {
    const category = this.#category
    const known = this.#known.get(part)
    if (known === undefined || (known === 0) !== (before === undefined)) return false
    // The checkpoint's version is the fence; the rows follow whoever holds it.
    const appends = [checkpointAppend({ category, part }, known, after)]
    for (const [key, row] of rows) appends.push(rowAppend({ category, key }, 'any', row))
    const result = await this.#port.change({ appends })
    if ('conflict' in result) return false
    this.#known.set(part, streamVersion(known + 1))
    return true
  }

  async *all(): AsyncIterable<readonly [string, unknown]> {
    await this.#ensure()
    for (let after = 0; ; after += LIST_STREAMS) {
      const request = { category: this.#category, after, maxStreams: LIST_STREAMS }
      const { streams } = await this.#port.listStreams(request)
      for (const { stream } of streams) {
        if (!stream.startsWith(ROW_PREFIX)) continue
        const { row } = await newest(this.#port, this.#category, stream)
        if (row !== undefined) yield [stream.slice(ROW_PREFIX.length), row]
      }
      if (streams.length < LIST_STREAMS) return
    }
  }
}

/** Rows in streams of the store behind `port`. */
export function streamRows(port: EventStorePort): RowStore {
  return {
    space: (projection, version) => new StreamSpace(port, rowCategory(projection, version)),
    async active(projection) {
      return (await activeVersion(port, projection)).active
    },
    async activate(projection, version, before) {
      const known = await activeVersion(port, projection)
      if (known.active !== before) return false
      const where = { category: ACTIVE_CATEGORY, stream: projection }
      const result = await port.change({ appends: [valueAppend(where, known.version, version)] })
      return !('conflict' in result)
    },
  }
}
