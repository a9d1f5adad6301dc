/**
 * The event data of a directory or of a running broker, opened for one command and closed again.
 */
import { type BrokerEventStore, createEventStore } from '@sagalog/event-store'
import { type Operated, withConnection } from './operated.js'
import type { CommandPorts } from './program.js'

/**
 * Runs `work` on the events of a broker, or of a directory, which must not be in use. Rejects as
 * `withConnection`: a directory without a log is named, and none is made there.
 */
export async function withEvents<A>(
  context: CommandPorts,
  where: Operated,
  work: (store: BrokerEventStore) => Promise<A>,
): Promise<A> {
  return await withConnection(context, where, (connection) => work(createEventStore(connection)))
}
