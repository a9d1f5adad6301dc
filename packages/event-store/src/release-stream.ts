/**
 * Lets a parked stream back into a projection once what was poison can be applied: the rows that
 * the stream has a part in are made anew from all events, and change together with the checkpoint
 * that leaves the stream out no longer. A crash leaves it parked or released, never in between.
 */
import { queueForKey } from '@sagalog/protocol'
import type { EventStore } from './event-store.js'
import type { EventStorePort } from './event-store-port.js'
import type { Projection } from './projection.js'
import { foldOn } from './projection-rows.js'
import type { RowSpace, RowStore } from './row-store.js'
import { ALL_PARTS, isSharedOut, type Part, partOf } from './projection-parts.js'

export interface ReleaseOptions {
  readonly rows: RowStore
  /** By `category/stream`, as `parked` names it. */
  readonly stream: string
}

export type ReleaseResult =
  /** How many of the stream's events the rows hold now. */
  | { readonly released: number }
  /** 'poison': an event still can't be applied, and all is as it was. */
  | { readonly refused: 'not-parked' | 'poison' | 'contended'; readonly reason: string }

const nameOf = (event: { readonly category: string; readonly stream: string }): string =>
  `${event.category}/${event.stream}`

/** How often the checkpoint may move away while the rows are led on to it. */
const ATTEMPTS_MAX = 20

/**
 * Lets `stream` back into the projection's version. A runner beside it goes on from the new
 * checkpoint by itself; effects are not called for what was left out. Reads all events once.
 */
export async function releaseStream<Row>(
  { port }: Pick<EventStore, 'port'>,
  projection: Projection<Row>,
  { rows, stream }: ReleaseOptions,
): Promise<ReleaseResult> {
  const space = rows.space(projection.name, projection.version)
  const part = await partWith(port, space, stream)
  const name = part?.name ?? ALL_PARTS
  const folded = { rows: new Map<string, unknown>(), next: port.start }
  const keys = new Set<string>()
  const only = part === undefined ? {} : { part }
  let count = 0
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const before = await space.checkpoint(name)
    if (before === undefined || !Object.hasOwn(before.parked, stream))
      return { refused: 'not-parked', reason: `${stream} is not parked` }
    const { [stream]: _released, ...parked } = before.parked
    const poison: string[] = []
    try {
      await foldOn(port, projection, folded, {
        ...only,
        to: before.next,
        parked,
        onApplied(event, key) {
          if (nameOf(event) !== stream) return
          keys.add(key)
          count += 1
        },
        onPoison: (event, thrown) =>
          void poison.push(`${nameOf(event)} version ${event.version}: ${String(thrown)}`),
      })
    } catch (thrown) {
      const [reason] = poison
      if (reason === undefined) throw thrown
      return { refused: 'poison', reason }
    }
    const after = { next: before.next, parked }
    const changed = new Map([...keys].map((key) => [key, folded.rows.get(key)] as const))
    if (await space.write({ part: name, before, after, rows: changed })) return { released: count }
  }
  return { refused: 'contended', reason: `others moved its checkpoint ${ATTEMPTS_MAX} times` }
}

/** The part that has a stream, when the projection is shared out. */
async function partWith(
  port: EventStorePort,
  space: RowSpace,
  name: string,
): Promise<Part | undefined> {
  if (!isSharedOut(await space.checkpoint(ALL_PARTS))) return undefined
  const slash = name.indexOf('/')
  const category = name.slice(0, slash)
  return partOf(category, queueForKey(name.slice(slash + 1), await port.queuesOf(category)))
}
