/**
 * The name servers of a cluster. They know the same and nothing of each other: one is asked, and
 * the next when it does not answer. Their answers write nothing, so asking twice is safe.
 *
 * Invariant: the one that answered last is asked first.
 */
import type { Cancel } from '@sagalog/kernel'
import type { RequestCodec } from '@sagalog/protocol'
import type { Connection, Reply } from '../connection.js'
import { ClientError } from '../errors.js'
import { isAway, whyAway } from './away.js'
import { NAME_SERVER_TIMEOUT_MS_MIN } from './limits.js'

export class NameServers {
  readonly #addresses: readonly string[]
  readonly #open: (address: string) => Connection
  readonly #connections = new Map<string, Connection>()
  readonly #upListeners = new Set<() => void>()
  /** Which of the addresses is asked first. */
  #first = 0

  /** `addresses` are `host:port`, at least one. */
  constructor(addresses: readonly string[], open: (address: string) => Connection) {
    this.#addresses = addresses
    this.#open = open
    this.#at(0)
  }

  get isUp(): boolean {
    return [...this.#connections.values()].some((connection) => connection.isUp)
  }

  /** Calls back after each connect to one of them. */
  onUp(listener: () => void): Cancel {
    this.#upListeners.add(listener)
    return () => this.#upListeners.delete(listener)
  }

  /** The first answer. Rejects with UNREACHABLE when none of them answers in time. */
  async request<Req, Res>(
    codec: RequestCodec<Req, Res>,
    payload: Req,
    timeoutMs: number,
  ): Promise<Reply<Res>> {
    const count = this.#addresses.length
    const eachMs = Math.max(NAME_SERVER_TIMEOUT_MS_MIN, timeoutMs / count)
    const reasons: string[] = []
    const first = this.#first
    for (let tries = 0; tries < count; tries += 1) {
      const index = (first + tries) % count
      try {
        const reply = await this.#at(index).request(codec, payload, { timeoutMs: eachMs })
        this.#first = index
        return reply
      } catch (thrown) {
        if (!ClientError.is(thrown) || !isAway(thrown)) throw thrown
        reasons.push(whyAway(this.#addresses[index] ?? '', thrown))
      }
    }
    const remote = this.#addresses.join(', ')
    throw new ClientError('UNREACHABLE', { remote, reason: reasons.join('; ') })
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close()
  }

  #at(index: number): Connection {
    const address = this.#addresses[index] ?? ''
    const known = this.#connections.get(address)
    if (known !== undefined) return known
    const connection = this.#open(address)
    this.#connections.set(address, connection)
    connection.onUp(() => {
      for (const listener of [...this.#upListeners]) listener()
    })
    return connection
  }
}
