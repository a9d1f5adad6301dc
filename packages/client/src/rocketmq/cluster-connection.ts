/**
 * A connection to a whole RocketMQ cluster with the face of one to a single broker, so that
 * producers, consumers and everything else above it are the same for both. It owns the name
 * servers, the broker channels and the table of routes; what becomes of each request is decided in
 * `requests/`, one file each.
 */
import { assert, type Cancel, type Channel, randomHex } from '@sagalog/kernel'
import {
  checkTransaction,
  type Command,
  clientPlaces,
  notifyMembers,
  type RequestCodec,
  resetClientOffset,
  ResponseCode,
  runningInfo,
} from '@sagalog/protocol'
import type { Connection, Peer, Reply, RequestOptions, Waiting } from '../connection.js'
import { openPeer, rejectedBy } from '../connection.js'
import { ClientError } from '../errors.js'
import { REQUEST_TIMEOUT_MS } from '../limits.js'
import { type AllPorts, allPorts, type ClientPorts } from '../ports.js'
import { BrokerChannels } from './broker-channels.js'
import type { Cluster } from './cluster.js'
import { oneWayOf, translationOf } from './dispatch.js'
import { Groups } from './groups.js'
import { HalfBrokers } from './half-brokers.js'
import { KeyOrder } from './key-order.js'
import { CONNECT_TIMEOUT_MS } from './limits.js'
import { NameServers } from './name-servers.js'
import type { PlaceStore } from './place-store.js'
import { Presence } from './presence.js'
import { placesHere, resetHere, runningHere } from './questions.js'
import { unsupported } from './refusals.js'
import { RouteTable } from './route-table.js'

export interface ClusterOptions {
  /** `host:port` of each name server; the first that answers is asked. */
  readonly nameServers: readonly string[]
  /** Opens a channel to a name server or a broker, given as `host:port`. */
  readonly connectTo: (address: string) => Promise<Channel<Command>>
  readonly ports: ClientPorts
  /** Milliseconds for a request that does not say otherwise; 3,000 unless told. */
  readonly requestTimeoutMs?: number
  /** Where the consumers of broadcasting groups keep their places; without it they can't join. */
  readonly places?: PlaceStore
}

/** Opens a connection to a cluster: to a name server at once, to brokers when they are needed. */
export function openCluster(options: ClusterOptions): Connection {
  return new ClusterConnection(options)
}

type Listener = (payload: unknown) => void

class ClusterConnection implements Connection, Cluster {
  readonly ports: AllPorts
  readonly clientId: string
  readonly requestTimeoutMs: number
  readonly names: NameServers
  readonly routes: RouteTable
  readonly brokers: BrokerChannels
  readonly presence: Presence
  readonly halves = new HalfBrokers()
  readonly keyOrder = new KeyOrder()
  readonly groups: Groups
  readonly #connectTo: ClusterOptions['connectTo']
  readonly #upListeners = new Set<() => void>()
  readonly #handlers = new Map<number, Set<Listener>>()
  #isClosed = false

  constructor(options: ClusterOptions) {
    const { connectTo, nameServers, places, ports, requestTimeoutMs } = options
    assert(nameServers.length > 0, 'a cluster has a name server')
    this.ports = allPorts(ports)
    this.clientId = randomHex(this.ports.random)
    this.requestTimeoutMs = requestTimeoutMs ?? REQUEST_TIMEOUT_MS
    this.#connectTo = connectTo
    this.names = new NameServers(nameServers, (address) => this.#openPeer(address))
    this.names.onUp(() => this.#tellUp())
    this.routes = new RouteTable(this.names, this.ports.clock, this.requestTimeoutMs)
    this.brokers = new BrokerChannels((address) => this.#openBroker(address))
    this.presence = new Presence({
      clock: this.ports.clock,
      clientId: this.clientId,
      brokers: () => this.brokers.all,
    })
    this.groups = new Groups(this, places)
  }

  get isUp(): boolean {
    return this.names.isUp || this.brokers.isUp
  }
  get isClosed(): boolean {
    return this.#isClosed
  }

  async request<Req, Res>(
    codec: RequestCodec<Req, Res>,
    payload: Req,
    { timeoutMs = this.requestTimeoutMs }: RequestOptions = {},
  ): Promise<Reply<Res>> {
    if (this.#isClosed) throw new ClientError('CLOSED', { what: 'the connection' })
    const translation = translationOf(codec)
    if (translation === undefined) throw unsupported(codec.name, codec.code)
    return await translation(this, payload, this.ports.clock.monotonicMs() + timeoutMs)
  }

  ask<Req, Res>(
    codec: RequestCodec<Req, Res>,
    payload: Req,
    waiting: Waiting<Res>,
    options?: RequestOptions,
  ): void {
    this.request(codec, payload, options).then(
      (reply) => waiting.resolve(reply),
      (reason: unknown) => waiting.reject(reason),
    )
  }

  async call<Req, Res>(
    codec: RequestCodec<Req, Res>,
    payload: Req,
    options: RequestOptions = {},
  ): Promise<Res> {
    const reply = await this.request(codec, payload, options)
    if (reply.code !== ResponseCode.SUCCESS) throw rejectedBy(codec.name, reply)
    assert(reply.payload !== undefined, 'a successful reply has a payload')
    return reply.payload
  }

  oneWay<Req, Res>(codec: RequestCodec<Req, Res>, payload: Req): boolean {
    if (this.#isClosed) return false
    const translation = oneWayOf(codec)
    if (translation === undefined) throw unsupported(codec.name, codec.code)
    return translation(this, payload)
  }

  onRequest<Req, Res>(codec: RequestCodec<Req, Res>, handler: (payload: Req) => void): Cancel {
    const handlers = this.#handlers.get(codec.code) ?? new Set()
    this.#handlers.set(codec.code, handlers)
    const listener: Listener = (payload) => handler(payload as Req)
    handlers.add(listener)
    return () => handlers.delete(listener)
  }

  onUp(listener: () => void): Cancel {
    this.#upListeners.add(listener)
    return () => this.#upListeners.delete(listener)
  }

  announce(producerGroup: string): Cancel {
    return this.presence.announceProducer(producerGroup)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.groups.close()
    this.presence.close()
    this.brokers.close()
    this.names.close()
  }

  #openPeer(address: string): Peer {
    return openPeer({
      connect: () => this.#connectTo(address),
      ports: this.ports,
      requestTimeoutMs: this.requestTimeoutMs,
      remote: address,
      clientId: this.clientId,
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    })
  }

  #openBroker(address: string): Connection {
    const broker = this.#openPeer(address)
    broker.onUp(() => {
      void this.presence.tell(broker)
      this.#tellUp()
    })
    broker.onRequest(checkTransaction, (check) => {
      this.halves.learn(check.transactionId, address)
      this.hand(checkTransaction, check)
    })
    broker.onRequest(notifyMembers, (change) => this.hand(notifyMembers, change))
    broker.onRequest(resetClientOffset, (reset) => resetHere(this, reset))
    broker.answer(clientPlaces, (question) => placesHere(this, question))
    broker.answer(runningInfo, (question) => runningHere(this, question))
    return broker
  }

  hand<Req, Res>(codec: RequestCodec<Req, Res>, payload: Req): void {
    for (const handler of [...(this.#handlers.get(codec.code) ?? [])]) handler(payload)
  }

  #tellUp(): void {
    for (const listener of [...this.#upListeners]) listener()
  }
}
