/**
 * The broker that a command for operators works with: one that is running, reached by its address,
 * or that of a directory, opened for the command and closed again.
 */
import { openBroker } from '@sagalog/broker'
import {
  type Address,
  type Admin,
  adminOf,
  ClientError,
  type Connection,
  type HostPort,
  hostPortText,
  openConnection,
  parseAddress,
} from '@sagalog/client'
import { openRemote } from '@sagalog/client/rocketmq'
import { connectTcpTo } from '@sagalog/client/tcp'
import { nodeRandom } from '@sagalog/kernel/node'
import { expectLog } from '@sagalog/log-core'
import { channelPair, type Command as Frame } from '@sagalog/protocol'
import { type Command, InvalidArgumentError } from 'commander'
import type { CommandPorts } from './program.js'

/** Where a command looks, and how it prints. */
export interface Operated {
  readonly dir: string
  readonly broker?: Address
  readonly json?: true
}

function readAddress(text: string): Address {
  try {
    return parseAddress(text)
  } catch (thrown) {
    if (!ClientError.is(thrown)) throw thrown
    throw new InvalidArgumentError(`${String(thrown.detail['reason'])}. ${thrown.advice}`)
  }
}

/** Adds the options that say which broker. */
export function operated(command: Command): Command {
  return command
    .option('--dir <dir>', 'open this directory, which nobody uses', './data')
    .option('--broker <address>', 'ask a running broker: [rocketmq://]host:port;…', readAddress)
}

/** Runs `work`. Rejects with UNREACHABLE, with LogError for a directory that can't be opened. */
export async function withAdmin<A>(
  context: CommandPorts,
  operatedBroker: Operated,
  work: (admin: Admin) => Promise<A>,
): Promise<A> {
  return await withConnection(context, operatedBroker, (connection) => work(adminOf(connection)))
}

/** The same for work that asks the broker otherwise. */
export async function withConnection<A>(
  context: CommandPorts,
  { broker, dir }: Operated,
  work: (connection: Connection) => Promise<A>,
): Promise<A> {
  if (broker?.where === 'remote') return await atAddress(context, broker.servers, work)
  return await inDirectory(context, broker?.dir ?? dir, work)
}

async function atAddress<A>(
  { clock }: CommandPorts,
  servers: readonly HostPort[],
  work: (connection: Connection) => Promise<A>,
): Promise<A> {
  const connection = await openRemote({
    servers: servers.map(hostPortText),
    connectTo: connectTcpTo,
    ports: { clock, random: nodeRandom() },
  })
  return await closing(connection, work)
}

async function inDirectory<A>(
  { clock, disk }: CommandPorts,
  directory: string,
  work: (connection: Connection) => Promise<A>,
): Promise<A> {
  // Opening makes what is missing; a path with a slip must not become a log.
  await expectLog({ disk, directory })
  const ports = { clock, random: nodeRandom() }
  const broker = await openBroker({ ...ports, disk, directory })
  const connect = (): Promise<ReturnType<typeof channelPair<Frame>>[0]> => {
    const [ours, theirs] = channelPair<Frame>()
    broker.accept(theirs)
    return Promise.resolve(ours)
  }
  try {
    return await closing(openConnection({ connect, ports }), work)
  } finally {
    await broker.close()
  }
}

async function closing<A>(
  connection: Connection,
  work: (connection: Connection) => Promise<A>,
): Promise<A> {
  try {
    return await work(connection)
  } finally {
    connection.close()
  }
}
