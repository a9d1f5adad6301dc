/** The broker's TCP face: each accepted socket becomes a channel of commands. */
import { listenSockets, type SocketAddress, type SocketListener } from '@sagalog/kernel/node'
import { commandChannel } from '@sagalog/protocol'
import type { Broker } from '../broker.js'

/** Replies that a client has not read; beyond it the client's requests are not read either. */
const UNREAD_REPLIES_BYTES_MAX = 4 * 1024 * 1024

/** Listens until closed. Rejects with the system's error when the address can't be had. */
export function listenTcp(
  broker: Pick<Broker, 'accept'>,
  address: SocketAddress,
): Promise<SocketListener> {
  return listenSockets(address, (bytes) => broker.accept(commandChannel(bytes)), {
    pauseReadingAboveBytes: UNREAD_REPLIES_BYTES_MAX,
  })
}
