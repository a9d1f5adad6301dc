/**
 * One connection to a broker, kept open. It matches replies to requests by their opaque numbers,
 * gives up those whose deadline has passed, opens a new channel when one is lost, and hands the
 * broker's own requests to whoever asked for them.
 *
 * Invariant: a request is handed to a channel at most once; when that channel is lost before the
 * reply, the request is rejected as DISCONNECTED, never repeated here, because only its owner knows
 * whether it is safe to repeat. Requests made while it is down wait for the next channel.
 */
import { assert, type Cancel, type Channel, type Connect, randomHex } from '@sagalog/kernel'
import {
  type Command,
  heartbeat as heartbeatRequest,
  isOneway,
  isResponse,
  onewayOf,
  ProtocolError,
  type RequestCodec,
  ResponseCode,
  responseCodeName,
  responseOf,
} from '@sagalog/protocol'
import { backoffMs } from './backoff.js'
import { ClientError } from './errors.js'
import { createHeartbeat } from './heartbeat.js'
import * as limits from './limits.js'
import { createPendingRequests, type PendingRequest } from './pending-requests.js'
import type { Reply, Waiting } from './pending-requests.js'
import { type AllPorts, allPorts, type ClientPorts } from './ports.js'

export type { Reply, Waiting } from './pending-requests.js'

export interface ConnectionOptions {
  readonly connect: Connect<Command>
  readonly ports: ClientPorts
  /** Milliseconds for a request that does not say otherwise; 3,000 unless told. */
  readonly requestTimeoutMs?: number
}

export interface RequestOptions {
  /** Milliseconds until the reply, waiting for a connection included. */
  readonly timeoutMs?: number
}

export interface Connection {
  readonly ports: AllPorts
  /** Names this connection to the broker. */
  readonly clientId: string
  readonly requestTimeoutMs: number
  readonly isUp: boolean
  readonly isClosed: boolean
  /**
   * Sends a request and gives the reply, whatever its code. Rejects with TIMEOUT or DISCONNECTED
   * (the write may have happened), OVERLOADED, INVALID_MESSAGE or CLOSED (it has not).
   */
  request<Req, Res>(
    codec: RequestCodec<Req, Res>,
    payload: Req,
    options?: RequestOptions,
  ): Promise<Reply<Res>>
  /** The same for who needs no promise of it: `waiting` is told once, maybe before this returns. */
  ask<Req, Res>(
    codec: RequestCodec<Req, Res>,
    payload: Req,
    waiting: Waiting<Res>,
    options?: RequestOptions,
  ): void
  /** The same for requests that only succeed: any code but SUCCESS rejects as REJECTED. */
  call<Req, Res>(
    codec: RequestCodec<Req, Res>,
    payload: Req,
    options?: RequestOptions,
  ): Promise<Res>
  /** Sends without asking for a reply; false when the connection is down and nothing was sent. */
  oneWay<Req, Res>(codec: RequestCodec<Req, Res>, payload: Req): boolean
  /** Is told of the broker's own requests of one kind. */
  onRequest<Req, Res>(codec: RequestCodec<Req, Res>, handler: (payload: Req) => void): Cancel
  /** Is called after each connect and reconnect, before waiting requests are sent. */
  onUp(listener: () => void): Cancel
  /** Announces a producer group to the broker until the given function is called. */
  announce(producerGroup: string): Cancel
  /** Closes for good: what was sent rejects as DISCONNECTED, what was not as CLOSED. */
  close(): void
}

/** The error for a reply that refuses. */
export function rejectedBy(request: string, reply: Reply<unknown>): ClientError {
  const remark = reply.remark ?? 'no remark'
  if (reply.code === ResponseCode.SYSTEM_BUSY) {
    return new ClientError('OVERLOADED', { request, reason: remark })
  }
  return new ClientError('REJECTED', { request, code: responseCodeName(reply.code), remark })
}

/** Opens a connection: at once, in the background, and again whenever it is lost. */
export function openConnection(options: ConnectionOptions): Connection {
  return new BrokerConnection(options)
}

/** One of the several peers of a client that has another to turn to. */
export interface PeerOptions extends ConnectionOptions {
  /** `host:port`: who does not answer. */
  readonly remote: string
  /** The name that all its connections share. */
  readonly clientId: string
  readonly connectTimeoutMs: number
}

/** A connection on which the other end asks questions, too. */
export interface Peer extends Connection {
  /** Answers the other end's requests of one kind; there is one answerer of each. */
  answer<Req, Res>(codec: RequestCodec<Req, Res>, answerer: (payload: Req) => Reply<Res>): void
}

/**
 * The same, but while nobody answers there its requests are rejected at once: UNREACHABLE, never
 * sent. They only wait for the first try, and for the one right after a connection was lost.
 */
export function openPeer(options: PeerOptions): Peer {
  return new BrokerConnection(options, options)
}

class BrokerConnection implements Peer {
  readonly ports: AllPorts
  readonly clientId: string
  readonly requestTimeoutMs: number
  readonly #connect: Connect<Command>
  readonly #peer: PeerOptions | undefined
  readonly #pending
  readonly #heartbeat
  readonly #upListeners = new Set<() => void>()
  readonly #handlers = new Map<number, Set<(payload: never) => void>>()
  readonly #answerers = new Map<number, (payload: never) => Reply<unknown>>()
  #channel: Channel<Command> | undefined
  #isClosed = false
  /** Failed tries since a channel last brought anything. */
  #tries = 0
  /** Invariant: only the newest try to connect may become the channel. */
  #tryNumber = 0
  #cancelTry: Cancel = () => {}
  #heardAtMs: number
  /** Why the last try to reach a peer failed; undefined when it did not. */
  #whyAway: string | undefined
  /** The channel whose peer is being asked for a sign of life. */
  #askedForLife: Channel<Command> | undefined

  constructor({ connect, ports, requestTimeoutMs }: ConnectionOptions, peer?: PeerOptions) {
    this.ports = allPorts(ports)
    this.clientId = peer?.clientId ?? randomHex(this.ports.random)
    this.#peer = peer
    this.requestTimeoutMs = requestTimeoutMs ?? limits.REQUEST_TIMEOUT_MS
    this.#connect = connect
    this.#heardAtMs = this.ports.clock.monotonicMs()
    this.#pending = createPendingRequests(this.ports.clock, (request) => this.#expire(request))
    this.#heartbeat = createHeartbeat(this.ports.clock, () => {
      if (this.isUp) void this.#beat()
    })
    this.#tryToConnect()
  }

  get isUp(): boolean {
    return this.#channel !== undefined
  }
  get isClosed(): boolean {
    return this.#isClosed
  }

  request<Req, Res>(
    codec: RequestCodec<Req, Res>,
    payload: Req,
    options: RequestOptions = {},
  ): Promise<Reply<Res>> {
    return new Promise((resolve, reject) => {
      this.ask(codec, payload, { resolve, reject }, options)
    })
  }

  ask<Req, Res>(
    codec: RequestCodec<Req, Res>,
    payload: Req,
    waiting: Waiting<Res>,
    options: RequestOptions = {},
  ): void {
    if (this.#isClosed) {
      waiting.reject(new ClientError('CLOSED', { what: 'the connection' }))
      return
    }
    if (this.#whyAway !== undefined) return waiting.reject(this.#unreachable(this.#whyAway))
    if (this.#pending.size >= limits.REQUESTS_PENDING_MAX) {
      const reason = `${this.#pending.size} requests wait for replies`
      waiting.reject(new ClientError('OVERLOADED', { request: codec.name, reason }))
      return
    }
    const timeoutMs = options.timeoutMs ?? this.requestTimeoutMs
    const request: PendingRequest = {
      opaque: this.#pending.nextOpaque(),
      codec,
      payload,
      timeoutMs,
      deadlineMs: this.ports.clock.monotonicMs() + timeoutMs,
      isSent: false,
      givenUpAtMs: undefined,
      waiting,
    }
    this.#pending.add(request)
    if (this.#channel !== undefined) this.#send(this.#channel, request)
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
    if (this.#channel === undefined) return false
    return this.#channel.send(onewayOf(codec, this.#pending.nextOpaque(), payload))
  }

  onRequest<Req, Res>(codec: RequestCodec<Req, Res>, handler: (payload: Req) => void): Cancel {
    const handlers = this.#handlers.get(codec.code) ?? new Set()
    this.#handlers.set(codec.code, handlers)
    handlers.add(handler)
    return () => handlers.delete(handler)
  }

  answer<Req, Res>(codec: RequestCodec<Req, Res>, answerer: (payload: Req) => Reply<Res>): void {
    this.#answerers.set(codec.code, answerer)
  }

  onUp(listener: () => void): Cancel {
    this.#upListeners.add(listener)
    return () => this.#upListeners.delete(listener)
  }

  announce(producerGroup: string): Cancel {
    return this.#heartbeat.announce(producerGroup)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#cancelTry()
    this.#heartbeat.stop()
    const channel = this.#channel
    this.#channel = undefined
    this.#rejectSent(channel, 'it was closed at this end')
    for (const request of this.#pending.clear()) {
      request.waiting.reject(new ClientError('CLOSED', { what: 'the connection' }))
    }
    channel?.close('the client closed the connection')
  }

  #tryToConnect(): void {
    this.#tryNumber += 1
    const mine = this.#tryNumber
    const isCurrent = (): boolean => mine === this.#tryNumber && !this.#isClosed
    const failed = (cause: unknown): void => {
      if (!isCurrent()) return
      if (this.#peer !== undefined) this.#refuseWaiting(reasonOf(cause))
      this.#tryLater()
    }
    const timeoutMs = this.#peer?.connectTimeoutMs ?? limits.CONNECT_TIMEOUT_MS
    const late = `no connection within ${timeoutMs} ms`
    this.#cancelTry = this.ports.clock.after(timeoutMs, () => failed(late))
    this.#connect().then((channel) => {
      if (isCurrent()) this.#up(channel)
      else channel.close('it came too late')
    }, failed)
  }

  /** Who has other peers must not wait for this one. */
  #refuseWaiting(why: string): void {
    this.#whyAway = why
    for (const request of this.#pending.all()) {
      this.#pending.take(request.opaque)
      request.waiting.reject(this.#unreachable(why))
    }
  }

  #unreachable(reason: string): ClientError {
    return new ClientError('UNREACHABLE', { remote: this.#peer?.remote ?? 'the broker', reason })
  }

  #tryLater(): void {
    this.#cancelTry()
    // A channel that still comes from the given up try is refused by its number.
    this.#tryNumber += 1
    const range = { minMs: limits.RECONNECT_DELAY_MS_MIN, maxMs: limits.RECONNECT_DELAY_MS_MAX }
    const delayMs = backoffMs(this.ports.random, this.#tries, range)
    this.#tries += 1
    this.#cancelTry = this.ports.clock.after(delayMs, () => this.#tryToConnect())
  }

  #up(channel: Channel<Command>): void {
    this.#cancelTry()
    this.#channel = channel
    this.#whyAway = undefined
    this.#heardAtMs = this.ports.clock.monotonicMs()
    channel.onClose((reason) => this.#down(channel, reason))
    if (this.#channel !== channel) return
    channel.onItem((command) => this.#receive(channel, command))
    this.#heartbeat.beat()
    for (const listener of [...this.#upListeners]) listener()
    for (const request of this.#pending.all()) {
      if (this.#channel !== channel) return
      if (!request.isSent) this.#send(channel, request)
    }
  }

  #down(channel: Channel<Command>, reason: string): void {
    if (this.#channel !== channel) return
    this.#channel = undefined
    this.#rejectSent(channel, reason)
    this.#tryLater()
  }

  #rejectSent(channel: Channel<Command> | undefined, reason: string): void {
    const remote = channel?.remote ?? 'the broker'
    for (const request of this.#pending.all()) {
      if (!request.isSent) continue
      this.#pending.take(request.opaque)
      const detail = { request: request.codec.name, remote, reason }
      request.waiting.reject(new ClientError('DISCONNECTED', detail))
    }
  }

  #send(channel: Channel<Command>, request: PendingRequest): void {
    const { codec, opaque, payload } = request
    // The reply may come before `send` returns, so the request counts as sent from here on.
    request.isSent = true
    this.ports.hops.reach('client.request')
    try {
      const isTaken = channel.send({ code: codec.code, opaque, flag: 0, payload })
      if (isTaken) return
      // It went nowhere: it waits for the next channel like one that was made while down.
      request.isSent = false
      this.#down(channel, 'the channel is closed')
    } catch (thrown) {
      if (this.#pending.take(opaque) === undefined) throw thrown
      request.waiting.reject(ProtocolError.is(thrown) ? unencodable(codec.name, thrown) : thrown)
    }
  }

  #receive(channel: Channel<Command>, command: Command): void {
    if (this.#channel !== channel) return
    this.#heardAtMs = this.ports.clock.monotonicMs()
    this.#tries = 0
    if (!isResponse(command)) return this.#dispatch(channel, command)
    // Undefined: a reply to what was given up at its deadline. Its outcome stays unknown.
    const request = this.#pending.take(command.opaque)
    if (request === undefined) return
    this.ports.hops.reach('client.ack')
    const { code, remark, payload } = command
    request.waiting.resolve(remark === undefined ? { code, payload } : { code, remark, payload })
  }

  #dispatch(channel: Channel<Command>, command: Command): void {
    const handlers = this.#handlers.get(command.code)
    for (const handler of [...(handlers ?? [])]) handler(command.payload as never)
    if (isOneway(command)) return
    const answerer = this.#answerers.get(command.code)
    const code = ResponseCode.REQUEST_CODE_NOT_SUPPORTED
    const remark = `request code ${command.code} is not answered by this client`
    const refusal = { code, remark, payload: undefined }
    channel.send(responseOf(command, answerer?.(command.payload as never) ?? refusal))
  }

  #expire(request: PendingRequest): void {
    const { codec, timeoutMs } = request
    // Also when it never found a connection: the caller is told the more careful of the two.
    request.waiting.reject(
      new ClientError('TIMEOUT', { request: codec.name, timeoutMs: Math.round(timeoutMs) }),
    )
    if (request.isSent) void this.#closeWhenSilent()
  }

  /** Announces the producer groups; 'failed' when it says nothing about the peer. */
  async #beat(): Promise<'answered' | 'late' | 'failed'> {
    const { groups } = this.#heartbeat
    const beat = { clientId: this.clientId, producerGroups: groups, consumers: [] }
    try {
      await this.request(heartbeatRequest, beat)
      return 'answered'
    } catch (thrown) {
      if (!ClientError.is(thrown)) throw thrown
      return thrown.code === 'TIMEOUT' ? 'late' : 'failed'
    }
  }

  /**
   * A peer whose machine died sends no end of the connection; only its silence tells. But this
   * process hears nothing either while it is paused, so silence alone says nothing: a peer is dead
   * when it also leaves a heartbeat without a reply that was sent after the silence was noticed.
   */
  async #closeWhenSilent(): Promise<void> {
    const channel = this.#channel
    const heardAtMs = this.#heardAtMs
    const silentMs = (): number => this.ports.clock.monotonicMs() - heardAtMs
    if (channel === undefined || this.#askedForLife === channel) return
    if (silentMs() < limits.PEER_SILENT_MS_MAX) return
    this.#askedForLife = channel
    const answer = await this.#beat()
    this.#askedForLife = undefined
    const isSilent = answer === 'late' && this.#heardAtMs === heardAtMs
    if (!isSilent || this.#channel !== channel) return
    channel.close(`the peer was silent for ${Math.round(silentMs())} ms`)
    this.#down(channel, 'the peer was silent')
  }
}

const reasonOf = (cause: unknown): string =>
  cause instanceof Error ? cause.message : String(cause)

function unencodable(request: string, cause: ProtocolError): ClientError {
  const detail = { what: `request ${request}`, reason: cause.message }
  return new ClientError('INVALID_MESSAGE', detail, { cause })
}
