/**
 * A consumer: one instance of a group. It owns the lifecycle only; leases decide which queues it
 * works off, and one worker per queue does the work.
 */
import { assert } from '@sagalog/kernel'
import type { ConsumeFrom, ConsumeMode } from '@sagalog/protocol'
import type { Connection } from './connection.js'
import { ClientError } from './errors.js'
import { Leases, type QueueName } from './leases.js'
import { HANDLER_ATTEMPTS_MAX, HANDLER_RETRY_MS } from './limits.js'
import { type Handler, type Listener, newListener, type Order, type Readable } from './listener.js'
import type { Problem } from './producer.js'
import { QueueWorker } from './queue-worker.js'

export interface ConsumerOptions {
  readonly group: string
  /** Names this instance in its group; one name must not run twice at the same time. */
  readonly instance: string
  /** 'clustering': each message to one instance (default); 'broadcasting': to every instance. */
  readonly mode?: ConsumeMode
  /** Where a group that has no place yet begins: 'first' unless told. */
  readonly from?: ConsumeFrom
  /** Milliseconds before a failed message is tried again; 1,000 unless told. */
  readonly retryMs?: number
  /** Tries before a message becomes a dead letter; 16 unless told. */
  readonly attemptsMax?: number
  /** Told of failed tries, dead letters and trouble with the broker, for a log. */
  readonly onProblem?: (problem: Problem) => void
}

export interface ListenOptions {
  /** 'concurrent' unless told. */
  readonly order?: Order
}

export interface Consumer {
  readonly group: string
  readonly instance: string
  /** The queues whose leases this instance holds now. */
  readonly held: readonly QueueName[]
  /** Adds a topic; before `start`, one handler per topic. */
  listen<A>(topic: Readable<A>, handler: Handler<A>, options?: ListenOptions): void
  /**
   * Joins the group; resolves once the broker has answered, and waits while it is away. Rejects
   * with REJECTED when a topic does not exist.
   */
  start(): Promise<void>
  /**
   * Stops pulling, lets running handlers end, gives the leases back. A handler that runs on for
   * the time of one lease sees its signal abort and is waited for no longer: nothing that it still
   * does is committed, and its message comes again at the queue's next holder.
   */
  close(): Promise<void>
}

export function createConsumer(connection: Connection, options: ConsumerOptions): Consumer {
  const { group, instance } = options
  const listeners = new Map<string, Listener>()
  const onProblem = (what: string, cause: unknown): void => options.onProblem?.({ what, cause })
  let leases: Leases | undefined
  let isClosed = false

  function newLeases(): Leases {
    return new Leases({
      connection,
      group,
      instance,
      mode: options.mode ?? 'clustering',
      from: options.from ?? 'first',
      topics: [...listeners.keys()],
      onProblem,
      newWorker(grant, liveUntilMs, onLeaseEnded) {
        const listener = listeners.get(grant.topic)
        assert(listener !== undefined, 'queues are granted of topics that were asked for')
        return new QueueWorker({
          connection,
          group,
          grant,
          listener,
          liveUntilMs,
          retryMs: options.retryMs ?? HANDLER_RETRY_MS,
          attemptsMax: options.attemptsMax ?? HANDLER_ATTEMPTS_MAX,
          onLeaseEnded,
          onProblem,
        })
      },
    })
  }

  return {
    group,
    instance,
    get held() {
      return leases?.held ?? []
    },
    listen(topic, handler, { order = 'concurrent' } = {}) {
      assert(leases === undefined, 'topics are added before the consumer starts')
      assert(!listeners.has(topic.name), `topic ${topic.name} has one handler per consumer`)
      listeners.set(topic.name, newListener(topic, handler, order))
    },
    start() {
      assert(leases === undefined, 'a consumer starts once')
      assert(listeners.size > 0, 'a consumer listens to a topic before it starts')
      if (isClosed)
        return Promise.reject(new ClientError('CLOSED', { what: `consumer ${instance}` }))
      leases = newLeases()
      return leases.start()
    },
    async close() {
      isClosed = true
      await leases?.leave()
    },
  }
}
