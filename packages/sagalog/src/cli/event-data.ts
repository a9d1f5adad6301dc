/**
 * The event data of a directory or of a running broker, opened for one command and closed again.
 */
import { openConnection } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { createEventStore, type BrokerEventStore } from '@sagalog/event-store'
import { nodeRandom } from '@sagalog/kernel/node'
import type { Command } from 'commander'
import { Sagalog } from '../open.js'
import { wholeNumber } from './numbers.js'
import type { CommandPorts } from './program.js'

export interface EventDataOptions {
  /** The directory is then only a name: the data is asked of a broker. */
  readonly broker?: string
}

/** Adds the option that asks a running broker instead of opening a directory. */
export function withBroker(command: Command): Command {
  return command.option('--broker <host:port>', 'ask this broker instead of opening a directory')
}

const PORT = wholeNumber(1, 65_535)

/** Runs `work` on the events of a directory, which must not be in use, or of a broker. */
export async function withEvents<A>(
  { clock, disk }: CommandPorts,
  directory: string | undefined,
  { broker }: EventDataOptions,
  work: (store: BrokerEventStore) => Promise<A>,
): Promise<A> {
  if (broker !== undefined) {
    const [, host = '127.0.0.1', port = ''] = /^(?:(.*):)?(\d+)$/.exec(broker) ?? []
    const at = { host, port: PORT(port) }
    const ports = { clock, random: nodeRandom() }
    const connection = openConnection({ connect: connectTcp(at), ports })
    try {
      return await work(createEventStore(connection))
    } finally {
      connection.close()
    }
  }
  const sagalog = await Sagalog.open({ dir: directory ?? './data', ports: { clock, disk } })
  try {
    return await work(sagalog.events)
  } finally {
    await sagalog.close()
  }
}
