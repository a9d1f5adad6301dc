/** The broker's TCP face: each accepted socket becomes a channel of commands. */
import { listenSockets, type SocketAddress, type SocketListener } from '@sagalog/kernel/node'
import { commandChannel } from '@sagalog/protocol'
import type { Broker } from '../broker.js'
import { BrokerError } from '../errors.js'

/** Replies that a client has not read; beyond it the client's requests are not read either. */
const UNREAD_REPLIES_BYTES_MAX = 4 * 1024 * 1024

export interface ListenOptions {
  /** Listens on an address that other machines reach; nothing asks them who they are. */
  readonly allowRemote?: boolean
}

/**
 * Listens until closed. Port 0 lets the system choose.
 * @throws BrokerError ADDRESS_IN_USE, ADDRESS_UNUSABLE, or ADDRESS_NOT_LOOPBACK.
 */
export async function listenTcp(
  broker: Pick<Broker, 'accept'>,
  address: SocketAddress,
  options: ListenOptions = {},
): Promise<SocketListener> {
  const { host, port } = address
  if (options.allowRemote !== true && !isLoopback(host))
    throw new BrokerError('ADDRESS_NOT_LOOPBACK', { host })
  try {
    return await listenSockets(address, (bytes) => broker.accept(commandChannel(bytes)), {
      pauseReadingAboveBytes: UNREAD_REPLIES_BYTES_MAX,
    })
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    if ((cause as { code?: unknown }).code === 'EADDRINUSE')
      throw new BrokerError('ADDRESS_IN_USE', { host, port }, { cause })
    throw new BrokerError('ADDRESS_UNUSABLE', { host, port, reason: cause.message }, { cause })
  }
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
