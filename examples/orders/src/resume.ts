/** What a directory says about the orders that were placed before this start. */
import type { Connection } from '@sagalog/client'
import { createEventStore } from '@sagalog/event-store'
import { orderSaga, sagaIdOf } from './order-saga.js'

const READERS = 64
/** The events after which a saga goes no further by itself. */
const LAST = new Set<string>(['Completed', 'Compensated', 'Parked'])

/**
 * The orders among `placed` whose sagas are at an end, read from their streams. Called before the
 * sagas run again, so the answer holds until then.
 */
export async function endedAmong(
  connection: Connection,
  placed: Iterable<number>,
): Promise<ReadonlySet<number>> {
  const store = createEventStore(connection)
  const ended = new Set<number>()
  const left = [...placed][Symbol.iterator]()
  const reader = async (): Promise<void> => {
    for (const order of left) {
      const { events } = await store.read(orderSaga.events, sagaIdOf(order))
      const last = events.at(-1)
      if (last !== undefined && LAST.has(last.type)) ended.add(order)
    }
  }
  await Promise.all(Array.from({ length: READERS }, reader))
  return ended
}
