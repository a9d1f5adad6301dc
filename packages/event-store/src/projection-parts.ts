/**
 * How far the parts of a projection have come that is shared out over instances: a part is a queue
 * of its category, with a checkpoint of its own. What one runner had made before is where all parts
 * begin. Invariant: once it is shared out, no runner of all parts writes its rows any more.
 */
import { queueForKey } from '@sagalog/protocol'
import { assert } from '@sagalog/kernel'
import type { EventPosition, EventStorePort } from './event-store-port.js'
import type { Projection } from './projection.js'
import type { Checkpoint, RowSpace } from './row-store.js'

/** The part of a runner of everything; what its checkpoint leaves out under this name is all. */
export const ALL_PARTS = '*'
const SHARED = 'shared out over parts'

export interface Part {
  readonly name: string
  readonly category: string
  readonly queueId: number
}

export const partOf = (category: string, queueId: number): Part => ({
  name: `${category}/${queueId}`,
  category,
  queueId,
})

/** True for the checkpoint of all parts once each has one of its own. */
export const isSharedOut = (checkpoint: Checkpoint | undefined): boolean =>
  checkpoint !== undefined && Object.hasOwn(checkpoint.parked, ALL_PARTS)

/** Ends what a runner of all parts may write, and gives how far it had come. */
async function shareOut(space: RowSpace, start: EventPosition): Promise<Checkpoint> {
  for (;;) {
    const before = await space.checkpoint(ALL_PARTS)
    if (before !== undefined && isSharedOut(before)) return before
    const { next, parked }: Checkpoint = before ?? { next: start, parked: {} }
    const after = { next, parked: { ...parked, [ALL_PARTS]: SHARED } }
    const change = { part: ALL_PARTS, before, after, rows: new Map<string, unknown>() }
    if (await space.write(change)) return after
  }
}

/** The streams of a part among those that are left out. */
async function parkedIn(
  port: EventStorePort,
  { category, queueId }: Part,
  { parked }: Checkpoint,
): Promise<Checkpoint['parked']> {
  const prefix = `${category}/`
  const named = Object.entries(parked).filter(([name]) => name.startsWith(prefix))
  if (named.length === 0) return {}
  const queues = await port.queuesOf(category)
  const isHere = (name: string): boolean =>
    queueForKey(name.slice(prefix.length), queues) === queueId
  return Object.fromEntries(named.filter(([name]) => isHere(name)))
}

/** The checkpoint of a part; its first one goes on from what was made before the sharing. */
export async function partCheckpoint(
  port: EventStorePort,
  space: RowSpace,
  part: Part,
): Promise<Checkpoint> {
  for (;;) {
    const known = await space.checkpoint(part.name)
    if (known !== undefined) return known
    const shared = await shareOut(space, port.start)
    const after = { next: shared.next, parked: await parkedIn(port, part, shared) }
    const change = { part: part.name, before: undefined, after, rows: new Map<string, unknown>() }
    if (await space.write(change)) return after
  }
}

/** One checkpoint, with the part that it is of when the projection is shared out. */
export interface PlacedCheckpoint {
  readonly part?: Part
  readonly checkpoint: Checkpoint
}

/** All checkpoints of a version: one, or one of each part; none before its first event. */
export async function checkpointsOf(
  port: EventStorePort,
  { sets }: Pick<Projection<unknown>, 'sets'>,
  space: RowSpace,
): Promise<readonly PlacedCheckpoint[]> {
  const all = await space.checkpoint(ALL_PARTS)
  if (all === undefined) return []
  if (!isSharedOut(all)) return [{ checkpoint: all }]
  const [category] = sets.keys()
  assert(category !== undefined, 'a projection reads a category')
  const found: PlacedCheckpoint[] = []
  const queues = await port.queuesOf(category)
  for (let queueId = 0; queueId < queues; queueId += 1) {
    const part = partOf(category, queueId)
    const own = await space.checkpoint(part.name)
    const checkpoint = own ?? { next: all.next, parked: await parkedIn(port, part, all) }
    found.push({ part, checkpoint })
  }
  return found
}
