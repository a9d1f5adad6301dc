/**
 * Whether rows may change inline: only with the version that readers get, and only on rows that
 * hold all events there are. Who appends takes a version over once, and fences each change with the
 * stream that names the active version: when another one becomes active, the change is refused.
 * Invariant: a version that is kept inline is written by no runner any more.
 */
import type { StreamClosing, StreamVersion } from '@sagalog/kernel'
import { EventStoreError } from './errors.js'
import type { EventPosition, EventStorePort } from './event-store-port.js'
import type { Projection } from './projection.js'
import type { Checkpoint, RowStore } from './row-store.js'
import {
  activeVersion,
  ACTIVE_CATEGORY,
  checkpointAppend,
  rowCategory,
  storedCheckpoint,
  valueAppend,
} from './stream-rows.js'

/** The part whose checkpoint says that rows are kept by those who append. */
export const INLINE_PART = 'inline'
const ALL = '*'
const ATTEMPTS_MAX = 8

/** True when the rows of this version are kept by those who append. */
export async function isInline(
  rows: RowStore,
  { name, version }: Pick<Projection<unknown>, 'name' | 'version'>,
): Promise<boolean> {
  return (await rows.space(name, version).checkpoint(INLINE_PART)) !== undefined
}

/** What a change carries so that it is taken only while the version is the active one. */
const fenceOf = (stream: string, expected: StreamVersion): StreamClosing => ({
  category: ACTIVE_CATEGORY,
  stream,
  expected,
  state: 'open',
  reason: 'rows change inline',
})

/**
 * Takes a version over, if nobody has yet, and gives its fence; its category must be there. Rejects
 * with PROJECTION_NOT_BUILT when another version is the active one, or rows lack events.
 */
export async function takeOver(
  port: EventStorePort,
  projection: Projection<unknown>,
): Promise<StreamClosing> {
  const { name, version } = projection
  const category = rowCategory(name, version)
  const refuse = (reason: string): EventStoreError =>
    new EventStoreError('PROJECTION_NOT_BUILT', { name, version, reason })
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const { active, version: fence } = await activeVersion(port, name)
    if (active !== undefined && active !== version) throw refuse(`readers get version ${active}`)
    const { row: inline } = await storedCheckpoint(port, category, INLINE_PART)
    if (active === version && inline !== undefined) return fenceOf(name, fence)
    const built = await storedCheckpoint(port, category, ALL)
    const { next, parked }: Checkpoint = built.row ?? { next: port.start, parked: {} }
    const [left] = Object.keys(parked)
    if (left !== undefined) throw refuse(`its rows leave out ${left}`)
    if (await hasEvents(port, projection, next)) throw refuse('its rows lack events that are there')
    const checkpoint = { next, parked }
    const taken = await port.change({
      appends: [
        valueAppend({ category: ACTIVE_CATEGORY, stream: name }, fence, version),
        checkpointAppend({ category, part: INLINE_PART }, 'empty', checkpoint),
        // A runner that is still there finds its checkpoint moved.
        checkpointAppend({ category, part: ALL }, built.version, checkpoint),
      ],
    })
    const [fenced] = 'versions' in taken ? taken.versions : []
    if (fenced !== undefined) return fenceOf(name, fenced)
  }
  throw new EventStoreError('CONTENDED', { category, stream: INLINE_PART, attempts: ATTEMPTS_MAX })
}

/** True when the projection reads an event that stands at `from` or behind it. */
async function hasEvents(
  port: EventStorePort,
  { sets }: Projection<unknown>,
  from: EventPosition,
): Promise<boolean> {
  for (const category of sets.keys()) {
    const wanted = { categories: [category], from, maxEvents: 1, waitMs: 0 }
    const page = await port.readEvents(wanted).catch((cause: unknown) => {
      if (EventStoreError.is(cause) && cause.code === 'NO_CATEGORY') return undefined
      throw cause
    })
    if (page !== undefined && page.events.length > 0) return true
  }
  return false
}
