/**
 * The sagas by their business key: which of those that run go by it. Each key has a stream, written
 * in the commits that start and end its sagas, so it says nothing that is not so. Entries commute:
 * sagas of one key stand in different queues, and none waits for another.
 */
import type { Tx } from '@sagalog/client'
import { appendIn, type EventStore } from '@sagalog/event-store'
import type { SagaDefinition } from './definition.js'
import { hasEnded, type SagaState } from './evolve.js'
import type { KeyEvent } from './saga-events.js'

/** One saga that goes by a key, and where its messages stand. */
export interface KeyedSaga {
  readonly sagaId: string
  readonly shardingKey: string
}

/** Those that run, in the order of their start. */
export function keyedSagas(events: readonly KeyEvent[]): readonly KeyedSaga[] {
  const running = new Map<string, KeyedSaga>()
  for (const { type, data } of events)
    if (type === 'KeyTaken') running.set(data.sagaId, data)
    else running.delete(data.sagaId)
  return [...running.values()]
}

/** Reads them from the log. */
export async function sagasOfKey(
  store: Pick<EventStore, 'read'>,
  { keyEvents }: Pick<SagaDefinition, 'keyEvents'>,
  businessKey: string,
): Promise<readonly KeyedSaga[]> {
  return keyedSagas((await store.read(keyEvents, businessKey)).events)
}

/** Writes down what a commit changes about its saga's key, if it has one. */
export function keepKey(
  tx: Pick<Tx, 'append'>,
  { keyEvents }: Pick<SagaDefinition, 'keyEvents'>,
  {
    sagaId,
    before,
    after,
  }: { readonly sagaId: string; readonly before: SagaState; readonly after: SagaState },
): void {
  const { businessKey, lane } = after
  if (businessKey === undefined) return
  const events: KeyEvent[] = []
  const shardingKey = lane?.key ?? sagaId
  if (before.phase === 'none') events.push({ type: 'KeyTaken', data: { sagaId, shardingKey } })
  if (hasEnded(after) && !hasEnded(before)) events.push({ type: 'KeyLeft', data: { sagaId } })
  appendIn(tx, keyEvents, businessKey, events, { expected: 'any' })
}
