/**
 * Opens the connection to whoever listens at an address. A Sagalog broker knows the requests that
 * are ours: it gets a plain connection, with all that it can do. Who refuses them is taken for a
 * name server of an Apache cluster.
 *
 * Invariant: a connection never changes from one Sagalog broker to another. When it is lost, all
 * addresses are tried again, but those that lead elsewhere are left out.
 */
import type { Channel, Clock } from '@sagalog/kernel'
import {
  type BrokerOfCluster,
  clusterInfo,
  type Command,
  listTopics,
  nothing,
  ResponseCode,
} from '@sagalog/protocol'
import { type Connection, openConnection, openPeer } from '../connection.js'
import { ClientError } from '../errors.js'
import { REQUEST_TIMEOUT_MS } from '../limits.js'
import type { ClientPorts } from '../ports.js'
import { whyAway } from './away.js'
import { openCluster } from './cluster-connection.js'
import { CONNECT_TIMEOUT_MS } from './limits.js'
import type { PlaceStore } from './place-store.js'

export interface RemoteOptions {
  /** `host:port` of name servers or of a Sagalog broker, at least one; tried in turn. */
  readonly servers: readonly string[]
  /** Opens a channel to a `host:port`. */
  readonly connectTo: (address: string) => Promise<Channel<Command>>
  readonly ports: ClientPorts
  /** Milliseconds for a request that does not say otherwise; 3,000 unless told. */
  readonly requestTimeoutMs?: number
  /** For a cluster: where the consumers of broadcasting groups keep their places. */
  readonly places?: PlaceStore
}

/** Who answers at an address. */
type Found =
  | { readonly who: 'name server' }
  | { readonly who: 'sagalog'; readonly broker: BrokerOfCluster | undefined }

/** Resolves once somebody has answered. Rejects with UNREACHABLE when nobody does. */
export async function openRemote(options: RemoteOptions): Promise<Connection> {
  const { connectTo, places, servers, ...rest } = options
  const reasons: string[] = []
  for (const [index, address] of servers.entries()) {
    try {
      const found = await whoIsAt(options, address)
      if (found.who === 'name server') {
        const others = [...servers.slice(index), ...servers.slice(0, index)]
        const kept = places === undefined ? {} : { places }
        return openCluster({ ...rest, ...kept, connectTo, nameServers: others })
      }
      const way = new WayToBroker(options, index, found.broker)
      return openConnection({ ...rest, connect: () => way.connect() })
    } catch (thrown) {
      if (!ClientError.is(thrown)) throw thrown
      reasons.push(whyAway(address, thrown))
    }
  }
  throw new ClientError('UNREACHABLE', { remote: servers.join(', '), reason: reasons.join('; ') })
}

async function whoIsAt(options: RemoteOptions, address: string): Promise<Found> {
  const { connectTo, ports, requestTimeoutMs = REQUEST_TIMEOUT_MS } = options
  const peer = openPeer({
    connect: () => connectTo(address),
    ports,
    requestTimeoutMs,
    remote: address,
    clientId: 'address',
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
  })
  try {
    const { code } = await peer.request(listTopics, { after: '', maxTopics: 1 })
    if (code === ResponseCode.REQUEST_CODE_NOT_SUPPORTED) return { who: 'name server' }
    const { payload } = await peer.request(clusterInfo, nothing)
    return { who: 'sagalog', broker: payload?.brokers[0] }
  } finally {
    peer.close()
  }
}

/** The addresses of one Sagalog broker. */
class WayToBroker {
  readonly #options: RemoteOptions
  /** The one that was good last. */
  #index: number
  readonly #broker: BrokerOfCluster | undefined

  constructor(options: RemoteOptions, index: number, broker: BrokerOfCluster | undefined) {
    this.#options = options
    this.#index = index
    this.#broker = broker
  }

  /** The one that was good last first, then the others. Rejects with what the last one said. */
  async connect(): Promise<Channel<Command>> {
    const { connectTo, ports, servers } = this.#options
    let failure: unknown
    for (let tries = 0; tries < servers.length; tries += 1) {
      const index = (this.#index + tries) % servers.length
      const address = servers[index] ?? ''
      try {
        if (tries > 0) await this.#expectSame(address)
        const channel = await inTime(ports.clock, connectTo(address))
        this.#index = index
        return channel
      } catch (thrown) {
        failure = thrown
      }
    }
    throw failure
  }

  async #expectSame(address: string): Promise<void> {
    const found = await whoIsAt(this.#options, address)
    const broker = found.who === 'sagalog' ? found.broker : undefined
    const isSame =
      broker !== undefined &&
      broker.brokerName === this.#broker?.brokerName &&
      broker.brokerAddress === this.#broker.brokerAddress
    if (isSame) return
    const reason = 'another broker answers there than the one that this connection began with'
    throw new ClientError('UNREACHABLE', { remote: address, reason })
  }
}

/** Gives a connect up that takes long, so that the next address has its turn. */
async function inTime(
  clock: Clock,
  connecting: Promise<Channel<Command>>,
): Promise<Channel<Command>> {
  return await new Promise((resolve, reject) => {
    let isLate = false
    const cancel = clock.after(CONNECT_TIMEOUT_MS, () => {
      isLate = true
      reject(new Error(`no connection within ${CONNECT_TIMEOUT_MS} ms`))
    })
    connecting.then(
      (channel) => {
        cancel()
        if (isLate) channel.close('it came too late')
        else resolve(channel)
      },
      (thrown: unknown) => {
        cancel()
        reject(thrown)
      },
    )
  })
}
