/**
 * One connection to each broker of a cluster, opened when it is first needed. Each is opened again
 * by itself when it is lost, and closed for good when no route leads to its broker any more.
 */
import type { Connection } from '../connection.js'

export class BrokerChannels {
  readonly #open: (address: string) => Connection
  readonly #connections = new Map<string, Connection>()

  /** `open` makes the connection to an address, `host:port`, and wires what the broker asks. */
  constructor(open: (address: string) => Connection) {
    this.#open = open
  }

  /** Those that are open, whether they are up or not. */
  get all(): readonly Connection[] {
    return [...this.#connections.values()]
  }

  get isUp(): boolean {
    return this.all.some((connection) => connection.isUp)
  }

  at(address: string): Connection {
    const known = this.#connections.get(address)
    if (known !== undefined) return known
    const connection = this.#open(address)
    this.#connections.set(address, connection)
    return connection
  }

  /** Closes those to other addresses, unless they are up: a broker may still have questions. */
  retain(addresses: ReadonlySet<string>): void {
    for (const [address, connection] of this.#connections) {
      if (addresses.has(address) || connection.isUp) continue
      this.#connections.delete(address)
      connection.close()
    }
  }

  close(): void {
    for (const connection of this.all) connection.close()
    this.#connections.clear()
  }
}
