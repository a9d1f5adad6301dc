/**
 * A broker of its own for other processes: name server and broker on TCP, as RocketMQ's clients
 * expect them. Both ports are taken before the directory is opened, so that a second start fails
 * before it touches anything; who connects meanwhile waits.
 */
import { type Broker, type BrokerOptions, openBroker } from '@sagalog/broker'
import { listenTcp } from '@sagalog/broker/tcp'
import type { Channel, Clock, Disk, Random } from '@sagalog/kernel'
import { nodeClock, nodeRandom, type SocketListener } from '@sagalog/kernel/node'
import { nodeDisk } from '@sagalog/log-core/node'
import type { Command } from '@sagalog/protocol'

export interface StandaloneOptions extends Omit<
  BrokerOptions,
  'disk' | 'clock' | 'random' | 'directory' | 'address'
> {
  /** The directory of the data; made when it is not there. One process at a time has it. */
  readonly dir: string
  /** The address to listen on. Default 127.0.0.1. */
  readonly host?: string
  /** Default 10911; 0 lets the system choose. */
  readonly brokerPort?: number
  /** Default 9876; 0 lets the system choose. */
  readonly nameServerPort?: number
  /** The host that clients are told to connect to. Default the one to listen on. */
  readonly advertisedHost?: string
  /** Must be said to listen on an address that other machines reach. */
  readonly allowRemote?: boolean
  /** Other ports than the machine's own, for tests. */
  readonly ports?: { readonly disk?: Disk; readonly clock?: Clock; readonly random?: Random }
}

export interface Standalone {
  readonly broker: Broker
  readonly host: string
  readonly brokerPort: number
  readonly nameServerPort: number
  /** Takes no more connections, answers what is in hand, and gives the directory back. */
  close(): Promise<void>
}

const HOST = '127.0.0.1'
const BROKER_PORT = 10_911
const NAME_SERVER_PORT = 9_876

/** Hands channels to the broker; before it is open they wait. */
class Entrance {
  private broker: Broker | undefined
  private readonly waiting: Channel<Command>[] = []

  accept(channel: Channel<Command>): void {
    if (this.broker === undefined) this.waiting.push(channel)
    else this.broker.accept(channel)
  }

  open(broker: Broker): void {
    this.broker = broker
    for (const channel of this.waiting.splice(0)) broker.accept(channel)
  }
}

/**
 * Starts name server and broker.
 * @throws BrokerError when an address can't be had or an option is wrong; LogError when the
 * directory is in use, unwritable or damaged. Nothing is left open then.
 */
export async function openStandalone(options: StandaloneOptions): Promise<Standalone> {
  const { advertisedHost, allowRemote, brokerPort, dir, host = HOST, nameServerPort } = options
  const entrance = new Entrance()
  const remote = allowRemote === undefined ? {} : { allowRemote }
  const listeners: SocketListener[] = []
  const listen = async (port: number): Promise<number> => {
    const listener = await listenTcp(entrance, { host, port }, remote)
    listeners.push(listener)
    return listener.port
  }
  try {
    // A name server's questions are answered by the broker on either port.
    const names = await listen(nameServerPort ?? NAME_SERVER_PORT)
    const port = await listen(brokerPort ?? BROKER_PORT)
    const address = { host: addressOf(advertisedHost ?? host), port }
    const machine = {
      disk: options.ports?.disk ?? nodeDisk(),
      clock: options.ports?.clock ?? nodeClock(),
      random: options.ports?.random ?? nodeRandom(),
    }
    const broker = await openBroker({ ...options, ...machine, directory: dir, address })
    entrance.open(broker)
    return {
      broker,
      host: address.host,
      brokerPort: port,
      nameServerPort: names,
      async close() {
        await broker.close()
        await Promise.all(listeners.map((listener) => listener.close()))
      },
    }
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close()))
    throw error
  }
}

/** Message ids hold an address, never a name. */
const addressOf = (host: string): string => (host === 'localhost' ? HOST : host)
