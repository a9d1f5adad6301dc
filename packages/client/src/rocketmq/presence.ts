/**
 * Tells the brokers of a cluster who lives behind this connection, so that they know whom to ask
 * about undecided half messages and who shares a group's queues: each broker when it is reached,
 * all of them every ten seconds and whenever that changes. A broker that has no group to hear of
 * hears of that: it closes connections that are silent for two minutes.
 */
import { assert, type Cancel, type Clock } from '@sagalog/kernel'
import { heartbeat, type HeartbeatConsumer, unregister } from '@sagalog/protocol'
import type { Connection } from '../connection.js'
import { ClientError } from '../errors.js'
import { HEARTBEAT_EVERY_MS } from '../limits.js'

export interface PresenceOptions {
  readonly clock: Clock
  readonly clientId: string
  readonly brokers: () => readonly Connection[]
}

export class Presence {
  readonly #options: PresenceOptions
  /** A group counts its announcers, for two producers of one group may share a connection. */
  readonly #producers = new Map<string, number>()
  readonly #consumers = new Map<string, HeartbeatConsumer>()
  #cancelNext: Cancel | undefined
  #isClosed = false

  constructor(options: PresenceOptions) {
    this.#options = options
  }

  announceProducer(group: string): Cancel {
    const announcers = this.#producers.get(group) ?? 0
    this.#producers.set(group, announcers + 1)
    if (announcers === 0) this.#beat()
    let isAnnounced = true
    return () => {
      if (!isAnnounced) return
      isAnnounced = false
      const left = (this.#producers.get(group) ?? 1) - 1
      if (left > 0) this.#producers.set(group, left)
      else void this.#leave(this.#producers, { producerGroup: group }, group)
    }
  }

  /**
   * One consumer of a group at a time; announcing it again changes what it subscribes to. What is
   * given back takes it away and resolves once the brokers know: they work heartbeats and farewells
   * off in different threads, and who came back at once would be forgotten by the late farewell.
   */
  announceConsumer(consumer: HeartbeatConsumer): () => Promise<void> {
    this.#consumers.set(consumer.group, consumer)
    this.#beat()
    return async () => {
      if (this.#consumers.get(consumer.group) !== consumer) return
      await this.#leave(this.#consumers, { consumerGroup: consumer.group }, consumer.group)
    }
  }

  /** Resolves once the broker knows, or could not be told: then the next beat tells it. */
  async tell(broker: Connection): Promise<void> {
    if (this.#cancelNext === undefined) this.#planNext()
    const beat = {
      clientId: this.#options.clientId,
      producerGroups: [...this.#producers.keys()],
      consumers: [...this.#consumers.values()],
    }
    await broker.request(heartbeat, beat).catch(unlessAway)
  }

  close(): void {
    this.#isClosed = true
    this.#cancelNext?.()
  }

  #beat(): void {
    this.#planNext()
    for (const broker of this.#options.brokers()) if (broker.isUp) void this.tell(broker)
  }

  #planNext(): void {
    this.#cancelNext?.()
    if (this.#isClosed) return
    this.#cancelNext = this.#options.clock.after(HEARTBEAT_EVERY_MS, () => this.#beat())
  }

  /** A broker forgets a group only when it is told, or when the connection ends. */
  async #leave(
    groups: Map<string, unknown>,
    group: { readonly producerGroup: string } | { readonly consumerGroup: string },
    name: string,
  ): Promise<void> {
    assert(groups.delete(name), 'the group was announced')
    const { brokers, clientId } = this.#options
    const farewells = brokers()
      .filter(({ isUp }) => isUp)
      .map((broker) => broker.request(unregister, { clientId, ...group }).catch(unlessAway))
    await Promise.all(farewells)
  }
}

function unlessAway(thrown: unknown): void {
  if (!ClientError.is(thrown)) throw thrown
}
