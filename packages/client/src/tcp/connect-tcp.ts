/** Reaches a broker over TCP. */
import type { Channel, Connect } from '@sagalog/kernel'
import { connectSocket, type SocketAddress } from '@sagalog/kernel/node'
import { type Command, commandChannel } from '@sagalog/protocol'

/** The `connect` of a connection to a broker that listens on TCP. */
export function connectTcp(address: SocketAddress): Connect<Command> {
  return async () => commandChannel(await connectSocket(address))
}

/** The `connectTo` of a connection to many: a channel to `host:port`, as a route names it. */
export async function connectTcpTo(hostPort: string): Promise<Channel<Command>> {
  const colon = hostPort.lastIndexOf(':')
  const host = hostPort.slice(0, colon).replaceAll(/[[\]]/g, '')
  return await connectTcp({ host, port: Number(hostPort.slice(colon + 1)) })()
}
