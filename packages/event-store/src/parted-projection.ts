/**
 * A projection parted over instances: each queue of its categories is held by one instance at a
 * time, under a lease, and has a checkpoint of its own. The lease spreads the work; what keeps two
 * instances from counting an event twice is the checkpoint, also when a lease is outlived.
 */
import { type Connection, holdQueues } from '@sagalog/client'
import { assert } from '@sagalog/kernel'
import type { EventStore } from './event-store.js'
import type { EventPosition } from './event-store-port.js'
import type { Projection } from './projection.js'
import { type Projector, type ProjectorOptions, runProjection } from './projector.js'
import { partOf } from './projection-parts.js'

export interface PartedOptions extends Omit<ProjectorOptions, 'part'> {
  readonly connection: Connection
  /** Names this instance; one name must not run twice at the same time. */
  readonly instance: string
}

export interface PartedProjector {
  /** The parts that this instance holds now, `category/queue`. */
  readonly parts: readonly string[]
  /**
   * Resolves once the parts that this instance holds have come past a position. Others may still be
   * behind: an append is read back for sure only where its part is held.
   */
  whenProcessed(position: EventPosition): Promise<void>
  close(): Promise<void>
}

/**
 * Runs this instance's share; rows must belong to streams: one category and no `key` in the
 * definition. A new version waits until one `runProjection` has built it and readers get it, and
 * goes on from there.
 */
export async function runPartedProjection<Row>(
  store: Pick<EventStore, 'port'>,
  projection: Projection<Row>,
  { connection, instance, ...options }: PartedOptions,
): Promise<PartedProjector> {
  assert(projection.isPerStream, 'rows that are parted belong to streams')
  const running = new Map<string, Projector>()
  const { onProblem } = options
  const held = await holdQueues(connection, {
    group: `projection-${projection.name}-v${projection.version}`,
    instance,
    topics: [...projection.sets.keys()],
    ...(onProblem === undefined ? {} : { onProblem }),
    async hold({ queueId, topic: category }, signal) {
      const part = partOf(category, queueId)
      const { name } = part
      const projector = runProjection(store, projection, { ...options, part })
      running.set(name, projector)
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      await projector.close()
      if (running.get(name) === projector) running.delete(name)
    },
  })
  return {
    get parts() {
      return [...running.keys()].toSorted()
    },
    async whenProcessed(position) {
      await Promise.all([...running.values()].map((part) => part.whenProcessed(position)))
    },
    close: () => held.close(),
  }
}
