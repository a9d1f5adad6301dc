/**
 * The broker's TCP face: each accepted socket becomes a channel of commands. What a peer may take
 * of this process is bounded here: connections, unfinished frames, unread replies, and time.
 */
import { nodeClock, listenSockets } from '@sagalog/kernel/node'
import type { SocketAddress, SocketListener } from '@sagalog/kernel/node'
import { commandChannel, InboundBytes } from '@sagalog/protocol'
import type { Broker } from '../broker.js'
import { BrokerError } from '../errors.js'
import { CONNECTIONS_MAX, FRAME_MS_MAX, IDLE_MS_MAX } from '../limits.js'
import { INBOUND_BYTES_MAX, OUTBOUND_BYTES_MAX, UNREAD_REPLIES_BYTES_MAX } from '../limits.js'

export interface ListenOptions {
  /** Listens on an address that other machines reach; nothing asks them who they are. */
  readonly allowRemote?: boolean
  /** Connections at a time; one more is closed at once. Default 8,192. */
  readonly connectionsMax?: number
  /** A connection is closed after so long without a byte, milliseconds. Default 120,000. */
  readonly idleMs?: number
  /** A frame that has begun must be there within so long, milliseconds. Default 30,000. */
  readonly frameMs?: number
  /** Bytes of unfinished frames over all connections. Default 256 MiB. */
  readonly inboundBytesMax?: number
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
  const inbound = new InboundBytes(options.inboundBytesMax ?? INBOUND_BYTES_MAX)
  const frameDeadline = { clock: nodeClock(), ms: options.frameMs ?? FRAME_MS_MAX }
  try {
    return await listenSockets(
      address,
      (bytes) => broker.accept(commandChannel(bytes, { inbound, frameDeadline })),
      {
        pauseReadingAboveBytes: UNREAD_REPLIES_BYTES_MAX,
        outboundBytesMax: OUTBOUND_BYTES_MAX,
        idleMs: options.idleMs ?? IDLE_MS_MAX,
        connectionsMax: options.connectionsMax ?? CONNECTIONS_MAX,
      },
    )
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause
    if ((cause as { code?: unknown }).code === 'EADDRINUSE')
      throw new BrokerError('ADDRESS_IN_USE', { host, port }, { cause })
    throw new BrokerError('ADDRESS_UNUSABLE', { host, port, reason: cause.message }, { cause })
  }
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
