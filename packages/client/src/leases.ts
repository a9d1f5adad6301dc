/**
 * Keeps an instance's leases: asks for queues, renews them, starts and ends the worker of each.
 *
 * Invariant: a lease ends here no later than at the broker, because its time is counted from before
 * the request was sent. One request is under way at a time, so answers are never out of order.
 */
import type { Cancel, LeaseRef } from '@sagalog/kernel'
import {
  type Allocation,
  type ConsumeFrom,
  type ConsumeMode,
  leaseQueues,
  type LeaseQueuesRequest,
  type LeaseQueuesResponse,
  notifyMembers,
  type QueueGrant,
  ResponseCode,
  type TopicListener,
} from '@sagalog/protocol'
import { type Connection, rejectedBy } from './connection.js'
import { ClientError } from './errors.js'
import { LEASE_RETRY_MS } from './limits.js'

/** What is done under the lease of one queue. */
export interface LeaseWork {
  readonly lease: LeaseRef
  readonly isLive: boolean
  readonly isDraining: boolean
  start(): void
  renew(liveUntilMs: number): void
  /** Takes nothing new and resolves once what is in hand has ended. */
  drain(): Promise<void>
  /** The lease is over: aborts what is in hand. */
  end(): void
}

export interface LeaseOptions {
  readonly connection: Connection
  readonly group: string
  readonly instance: string
  readonly mode: ConsumeMode
  readonly from: ConsumeFrom
  readonly topics: readonly string[]
  /** How the group shares its queues; AVG when undefined. */
  readonly allocation?: Allocation | undefined
  readonly listeners?: readonly TopicListener[]
  /** Makes the worker of a grant; `onLeaseEnded` is for it to call. */
  readonly newWorker: (
    grant: QueueGrant,
    liveUntilMs: number,
    onLeaseEnded: () => void,
  ) => LeaseWork
  readonly onProblem: (what: string, cause: unknown) => void
}

export interface QueueName {
  readonly topic: string
  readonly queueId: number
}

const keyOf = ({ topic, queueId }: QueueName): string => `${topic}\u0000${queueId}`

export class Leases {
  readonly #options: LeaseOptions
  readonly #workers = new Map<string, LeaseWork>()
  #state: 'new' | 'running' | 'leaving' | 'left' = 'new'
  /** The time of a lease as the broker said last; how long a farewell waits for handlers. */
  #leaseMs = 0
  #isAsking = false
  /** Something happened while a request was under way: ask again after it. */
  #mustAskAgain = false
  #cancelNext: Cancel = () => {}
  #cancelEnd: Cancel = () => {}
  #stopListening: Cancel = () => {}
  #started: { resolve: () => void; reject: (thrown: unknown) => void } | undefined

  constructor(options: LeaseOptions) {
    this.#options = options
  }

  /** The queues held now. */
  get held(): QueueName[] {
    return [...this.#workers.values()].map(({ lease }) => ({
      topic: lease.topic,
      queueId: lease.queueId,
    }))
  }

  /** Resolves with the first answer. Rejects when the broker refuses; waits while it is away. */
  start(): Promise<void> {
    const { connection, group } = this.#options
    const stopUp = connection.onUp(() => this.#ask())
    const stopMembers = connection.onRequest(notifyMembers, ({ consumerGroup }) => {
      if (consumerGroup === group) this.#ask()
    })
    this.#stopListening = () => {
      stopUp()
      stopMembers()
    }
    this.#state = 'running'
    return new Promise((resolve, reject) => {
      this.#started = { resolve, reject }
      this.#ask()
    })
  }

  /**
   * Finishes what is in hand, then gives all queues back. What has not ended after the time of one
   * lease is aborted: it would keep the queues from everybody else for ever.
   */
  async leave(): Promise<void> {
    if (this.#state !== 'running') {
      this.#state = 'left'
      return
    }
    this.#state = 'leaving'
    // The leases are renewed while handlers end.
    const { connection, onProblem } = this.#options
    const workers = [...this.#workers.values()]
    const cancelPatience = connection.ports.clock.after(this.#leaseMs, () => {
      const late = workers.filter((worker) => worker.isDraining)
      for (const worker of late) worker.end()
      const names = late.map(({ lease }) => `${lease.topic}/${lease.queueId}`).join(', ')
      onProblem(`handlers of ${names} did not end in time`, 'their signal was aborted')
    })
    for (const drain of workers.map((worker) => worker.drain())) await drain
    cancelPatience()
    this.#workers.clear()
    this.#stop()
    this.#startFailed(new ClientError('CLOSED', { what: `the consumer ${this.#options.instance}` }))
    // Unsaid goodbyes cost the others the rest of the lease's time, nothing else.
    if (!connection.isUp) return
    await connection.request(leaseQueues, this.#request(true)).catch((thrown: unknown) => {
      if (!ClientError.is(thrown)) throw thrown
    })
  }

  #stop(): void {
    this.#state = 'left'
    this.#cancelNext()
    this.#cancelEnd()
    this.#stopListening()
  }

  #request(leaving: boolean): LeaseQueuesRequest {
    const { allocation, from, group, instance, listeners, mode, topics } = this.#options
    const held = [...this.#workers.values()].map(({ lease }) => ({
      topic: lease.topic,
      queueId: lease.queueId,
      epoch: lease.epoch,
    }))
    return {
      ...{ group, instance, mode, topics, held, from, leaving },
      ...(allocation === undefined ? {} : { allocation }),
      ...(listeners === undefined ? {} : { listeners }),
    }
  }

  #ask(): void {
    if (this.#state === 'left' || this.#state === 'new') return
    if (this.#isAsking) {
      this.#mustAskAgain = true
      return
    }
    this.#isAsking = true
    this.#mustAskAgain = false
    this.#cancelNext()
    void this.#askOnce().then((nextMs) => {
      this.#isAsking = false
      if (this.#state === 'left') return
      if (this.#mustAskAgain) this.#ask()
      else this.#askAfter(nextMs)
    })
  }

  #askAfter(delayMs: number): void {
    this.#cancelNext()
    this.#cancelNext = this.#options.connection.ports.clock.after(delayMs, () => this.#ask())
  }

  /** One request; gives the milliseconds to the next. */
  async #askOnce(): Promise<number> {
    const { connection, onProblem } = this.#options
    const askedAtMs = connection.ports.clock.monotonicMs()
    try {
      const reply = await connection.request(leaseQueues, this.#request(false))
      if (this.#state === 'left') return 0
      if (reply.code === ResponseCode.SERVICE_NOT_AVAILABLE) {
        // A full disk or a failed log is mended sooner or later; a start waits for it, too.
        onProblem('leases were not renewed', rejectedBy(leaseQueues.name, reply))
        return LEASE_RETRY_MS
      }
      if (reply.code !== ResponseCode.SUCCESS || reply.payload === undefined) {
        throw rejectedBy(leaseQueues.name, reply)
      }
      this.#apply(reply.payload, askedAtMs)
      this.#started?.resolve()
      this.#started = undefined
      return reply.payload.leaseMs / 3
    } catch (thrown) {
      if (!ClientError.is(thrown)) throw thrown
      if (thrown.code === 'CLOSED') {
        this.#endAll()
        this.#stop()
      }
      if (thrown.code === 'REJECTED' || thrown.code === 'CLOSED') this.#startFailed(thrown)
      if (thrown.code !== 'DISCONNECTED') onProblem('leases were not renewed', thrown)
      return LEASE_RETRY_MS
    }
  }

  #startFailed(thrown: ClientError): void {
    if (this.#started === undefined) return
    this.#started.reject(thrown)
    this.#started = undefined
    this.#stop()
  }

  #apply(answer: LeaseQueuesResponse, askedAtMs: number): void {
    const { clock } = this.#options.connection.ports
    this.#leaseMs = answer.leaseMs
    const liveUntilMs = askedAtMs + answer.leaseMs
    this.#cancelEnd()
    this.#cancelEnd = clock.after(Math.max(0, liveUntilMs - clock.monotonicMs()), () =>
      this.#endAll(),
    )
    const revoked = new Set(answer.revoked.map(keyOf))
    const granted = new Set<string>()
    for (const grant of answer.grants) {
      const key = keyOf(grant)
      granted.add(key)
      const worker = this.#workers.get(key)
      if (worker?.lease.epoch === grant.epoch && worker.isLive) worker.renew(liveUntilMs)
      else if (!revoked.has(key)) this.#begin(key, grant, liveUntilMs)
    }
    for (const [key, worker] of [...this.#workers]) {
      if (revoked.has(key)) this.#giveBack(key, worker)
      else if (!granted.has(key)) {
        this.#workers.delete(key)
        worker.end()
      }
    }
  }

  #begin(key: string, grant: QueueGrant, liveUntilMs: number): void {
    const before = this.#workers.get(key)
    this.#workers.delete(key)
    before?.end()
    if (this.#state !== 'running') return
    const worker = this.#options.newWorker(grant, liveUntilMs, () => {
      if (this.#workers.get(key) !== worker) return
      this.#workers.delete(key)
      this.#ask()
    })
    this.#workers.set(key, worker)
    worker.start()
  }

  #giveBack(key: string, worker: LeaseWork): void {
    if (worker.isDraining) return
    void worker.drain().then(() => {
      if (this.#workers.get(key) === worker) this.#workers.delete(key)
      this.#ask()
    })
  }

  /** The time of the leases is over: nothing is committed under them any more. */
  #endAll(): void {
    const workers = [...this.#workers.values()]
    this.#workers.clear()
    for (const worker of workers) worker.end()
    this.#ask()
  }
}
