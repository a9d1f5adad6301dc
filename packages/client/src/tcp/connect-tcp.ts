/** Reaches a broker over TCP. */
import type { Connect } from '@sagalog/kernel'
import { connectSocket, type SocketAddress } from '@sagalog/kernel/node'
import { type Command, commandChannel } from '@sagalog/protocol'

/** The `connect` of a connection to a broker that listens on TCP. */
export function connectTcp(address: SocketAddress): Connect<Command> {
  return async () => commandChannel(await connectSocket(address))
}
