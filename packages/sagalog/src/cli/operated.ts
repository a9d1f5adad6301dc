/**
 * The broker that a command for operators works with: one that is running, reached by its address,
 * or that of a directory, opened for the command and closed again.
 */
import { openBroker } from '@sagalog/broker'
import { type Admin, adminOf, ClientError, type Connection, openConnection } from '@sagalog/client'
import { connectTcp } from '@sagalog/client/tcp'
import { nodeRandom, type SocketAddress } from '@sagalog/kernel/node'
import { inspectLog } from '@sagalog/log-core'
import { channelPair, type Command as Frame } from '@sagalog/protocol'
import { type Command, InvalidArgumentError } from 'commander'
import type { CommandPorts } from './program.js'

/** Where a command looks, and how it prints. */
export interface Operated {
  readonly dir: string
  readonly broker?: SocketAddress
  readonly json?: true
}

function readAddress(text: string): SocketAddress {
  const [, name, digits] =
    /^(?:rocketmq:\/\/)?(\[[0-9a-fA-F:.]+\]|[^:/;\s]+):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (name === undefined || !(port >= 1 && port <= 65_535))
    throw new InvalidArgumentError('It is one address, HOST:PORT or rocketmq://HOST:PORT.')
  return { host: name.replaceAll(/[[\]]/g, ''), port }
}

/** Adds the options that say which broker. */
export function operated(command: Command): Command {
  return command
    .option('--dir <dir>', 'open this directory, which nobody uses', './data')
    .option('--broker <address>', 'ask a running broker: [rocketmq://]host:port', readAddress)
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
  return broker === undefined
    ? await inDirectory(context, dir, work)
    : await atAddress(context, broker, work)
}

async function atAddress<A>(
  { clock }: CommandPorts,
  address: SocketAddress,
  work: (connection: Connection) => Promise<A>,
): Promise<A> {
  const connect = connectTcp(address)
  // Asked once before all else: a connection would go on trying.
  const first = await connect().catch((cause: unknown) => {
    const remote = `${address.host}:${address.port}`
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ClientError('UNREACHABLE', { remote, reason }, { cause })
  })
  const channels = [first]
  const connection = openConnection({
    connect: async () => channels.pop() ?? (await connect()),
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
  await inspectLog({ disk, directory })
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
