/**
 * The sagas of a name without their definition: what an operator's tools need. Lists them, shows
 * one, and says to it what a person decides. Codecs are not known here, so payloads stay as stored.
 */
import { type Connection, createProducer, topic } from '@sagalog/client'
import { createEventStore } from '@sagalog/event-store'
import { SagaError } from './errors.js'
import { evolve, sagaInitial } from './evolve.js'
import { InboxMessage } from './inbox.js'
import { sagaEvents } from './saga-events.js'
import type { AsOf, SagaView } from './saga-handle.js'
import { listSagas, type SagaSummary } from './saga-list.js'

export interface SagaDesk {
  list(): Promise<readonly SagaSummary[]>
  /** How it stands, or stood. Rejects with NOT_FOUND, also when it was not started by then. */
  show(id: string, asOf?: AsOf): Promise<SagaView>
  /** Lets a parked saga try again; the others likewise reject with NOT_FOUND. */
  retry(id: string, by: string): Promise<void>
  /** Takes what it waits at, or this step of it, as over. */
  skip(id: string, by: string, step?: string): Promise<void>
  /** Says what a step came to, as its codec encodes it. */
  resolve(
    id: string,
    by: string,
    how: { step?: string | undefined; result: unknown },
  ): Promise<void>
  /** Compensates it, unless its pivot has begun. */
  cancel(id: string, by: string): Promise<void>
  close(): void
}

/** The desk for sagas of this name. */
export function sagaDesk(connection: Connection, name: string): SagaDesk {
  const store = createEventStore(connection)
  const events = sagaEvents(name)
  const inbox = topic(`saga-${name}`, InboxMessage)
  const producer = createProducer(connection, { group: 'saga-desk' })

  async function show(sagaId: string, asOf?: AsOf): Promise<SagaView> {
    const reading = asOf === undefined ? {} : { asOf }
    const { records: history } = await store.read(events, sagaId, reading)
    if (history.length === 0) throw new SagaError('NOT_FOUND', { saga: name, id: sagaId })
    const state = history.map(({ event }) => event).reduce(evolve, sagaInitial)
    return { sagaId, state, history }
  }

  async function tell(message: InboxMessage): Promise<void> {
    const { state } = await show(message.sagaId)
    const shardingKey = state.lane?.key ?? message.sagaId
    await producer.send(inbox, message, { shardingKey })
  }

  const operator = { kind: 'operator' as const, step: undefined, result: null }
  return {
    list: () => listSagas(connection, { events }),
    show,
    retry: (sagaId, by) => tell({ ...operator, sagaId, by, action: 'retry' }),
    skip: (sagaId, by, step) => tell({ ...operator, sagaId, by, action: 'skip', step }),
    resolve: (sagaId, by, { step, result }) =>
      tell({ ...operator, sagaId, by, action: 'resolve', step, result }),
    cancel: (sagaId, by) => tell({ kind: 'cancel', sagaId, reason: `cancelled by ${by}` }),
    close: () => producer.close(),
  }
}
