/**
 * A consumer: one instance of a group. It owns the lifecycle only; leases decide which queues it
 * works off, and one worker per queue does the work.
 */
import { assert, sleep } from '@sagalog/kernel'
import { type Allocation, type ConsumeFrom, type ConsumeMode, retryTopic } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import type { Connection } from './connection.js'
import { ClientError } from './errors.js'
import { Leases, type QueueName } from './leases.js'
import { HANDLER_ATTEMPTS_MAX, HANDLER_RETRY_MS, LEASE_RETRY_MS } from './limits.js'
import { PREFETCH_BYTES_MAX, PREFETCH_MESSAGES_MAX } from './limits.js'
import { type Handler, type Listener, newListener, type Order, type Readable } from './listener.js'
import type { Problem } from './producer.js'
import { QueueWorker } from './queue-worker.js'
import type { RetryPolicy } from './retry.js'
import { ensureTopic } from './topic.js'
import { type OnHandled, timedHandler } from './timed-handler.js'

export interface ConsumerOptions {
  readonly group: string
  /** Names this instance in its group; one name must not run twice at the same time. */
  readonly instance: string
  /** 'clustering': each message to one instance (default); 'broadcasting': to every instance. */
  readonly mode?: ConsumeMode
  /** Where a group that has no place yet begins: 'first' unless told. */
  readonly from?: ConsumeFrom
  /**
   * How the instances of the group share its queues, in 'clustering' mode: AVG, contiguous ranges,
   * unless told. All instances must agree: one that differs from those that are there is rejected.
   */
  readonly allocation?: Allocation
  /**
   * How a message of a 'concurrent' listener comes again after its handler failed: by the group's
   * retry topic, with its tries counted across instances and crashes. Without it, and for
   * 'orderly' and 'held' listeners always, it is tried again in place after `retryMs`, and
   * counted anew when its queue changes hands. In 'clustering' mode only.
   */
  readonly retry?: RetryPolicy
  /**
   * How much is fetched of each queue ahead of the handlers: it stops above either. 128 messages
   * and 4 MiB unless told.
   */
  readonly prefetch?: { readonly messages?: number; readonly bytes?: number }
  /** Milliseconds before a failed message is tried again in place; 1,000 unless told. */
  readonly retryMs?: number
  /** Tries before a message becomes a dead letter; 16 unless told. */
  readonly attemptsMax?: number
  /**
   * What a message of an 'orderly' listener becomes that failed for good, by its tries or its
   * codec. 'dead-letter', unless told: the others of its sharding key go on without it.
   * 'park-key': it and all later ones of its key are set aside, in order, until a person releases
   * the key (`parkedKeysOf`); other keys go on. Without a key it is a dead letter. In 'clustering'
   * mode only, and for all instances of the group alike.
   */
  readonly onPoison?: 'dead-letter' | 'park-key'
  /** Told of each run of a handler and how long it took; see `exportMetrics`. */
  readonly onHandled?: OnHandled
  /** Told of failed tries, dead letters and trouble with the broker, for a log. */
  readonly onProblem?: (problem: Problem) => void
}

export interface ListenOptions {
  /** 'concurrent' unless told. */
  readonly order?: Order
  /**
   * Which tags it wants: `*` (all, unless told), or tags separated by `||`. The group settles the
   * other messages unseen.
   */
  readonly tags?: string
}

export interface Consumer {
  readonly group: string
  readonly instance: string
  /** The queues whose leases this instance holds now; the group's retry topic is not told of. */
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
  const { group, instance, retry } = options
  const retryName = retryTopic(group)
  const { bytes = 1, messages = 1 } = options.prefetch ?? {}
  assert(messages >= 1 && bytes >= 1, 'at least one message is fetched ahead')
  assert(
    retry === undefined || options.mode !== 'broadcasting',
    'each instance of a broadcasting group has its own messages: they are retried in place',
  )
  const parksKeys = options.onPoison === 'park-key'
  assert(
    !parksKeys || options.mode !== 'broadcasting',
    'keys are parked for a group, not for each instance of a broadcasting one',
  )
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
      topics: [...listeners.keys(), ...(retry === undefined ? [] : [retryName])],
      allocation: options.allocation,
      listeners: [...listeners.values()].map(({ order, tags, topic }) => ({ topic, order, tags })),
      onProblem,
      newWorker(grant, liveUntilMs, onLeaseEnded) {
        const isRetry = grant.topic === retryName
        const listener = isRetry ? retryListener(listeners, retryName) : listeners.get(grant.topic)
        assert(listener !== undefined, 'queues are granted of topics that were asked for')
        return new QueueWorker({
          connection,
          group,
          grant,
          listener,
          liveUntilMs,
          retryMs: options.retryMs ?? HANDLER_RETRY_MS,
          attemptsMax: options.attemptsMax ?? HANDLER_ATTEMPTS_MAX,
          retry,
          parksKeys: parksKeys && !isRetry && listener.order === 'orderly',
          prefetch: {
            messages: options.prefetch?.messages ?? PREFETCH_MESSAGES_MAX,
            bytes: options.prefetch?.bytes ?? PREFETCH_BYTES_MAX,
          },
          onLeaseEnded,
          onProblem,
        })
      },
    })
  }

  const closedError = (): ClientError => new ClientError('CLOSED', { what: `consumer ${instance}` })

  async function startWithRetries(own: Leases): Promise<void> {
    for (;;) {
      if (isClosed) throw closedError()
      try {
        await ensureTopic(connection, retryName, { queues: 1 })
        break
      } catch (thrown) {
        if (!ClientError.is(thrown) || !isWorthWaiting(thrown)) throw thrown
        await sleep(connection.ports.clock, LEASE_RETRY_MS)
      }
    }
    if (isClosed) throw closedError()
    await own.start()
  }

  return {
    group,
    instance,
    get held() {
      return (leases?.held ?? []).filter(({ topic }) => topic !== retryName)
    },
    listen(topic, handler, { order = 'concurrent', tags = '*' } = {}) {
      assert(leases === undefined, 'topics are added before the consumer starts')
      assert(!listeners.has(topic.name), `topic ${topic.name} has one handler per consumer`)
      const { onHandled } = options
      const timing = { clock: connection.ports.clock, group, topic: topic.name }
      const own =
        onHandled === undefined ? handler : timedHandler(handler, { ...timing, onHandled })
      listeners.set(topic.name, newListener(topic, own, { order, tags }))
    },
    start() {
      assert(leases === undefined, 'a consumer starts once')
      assert(listeners.size > 0, 'a consumer listens to a topic before it starts')
      assert(
        !parksKeys || [...listeners.values()].some(({ order }) => order === 'orderly'),
        "only 'orderly' listeners park keys: listen(topic, handler, { order: 'orderly' })",
      )
      if (isClosed) return Promise.reject(closedError())
      leases = newLeases()
      return retry === undefined ? leases.start() : startWithRetries(leases)
    },
    async close() {
      isClosed = true
      await leases?.leave()
    },
  }
}

/** What failed comes back to the handler of the topic that it was first sent to. */
function retryListener(listeners: ReadonlyMap<string, Listener>, name: string): Listener {
  return {
    topic: name,
    order: 'concurrent',
    tags: '*',
    // What comes back was wanted once.
    takes: () => true,
    prepare(message) {
      const listener = listeners.get(message.topic)
      if (listener !== undefined) return listener.prepare(message)
      return E.left(`this group has no handler for topic ${message.topic} any more`)
    },
  }
}

/** What passes when the broker is back, or its disk has room again. */
const isWorthWaiting = ({ code, detail }: ClientError): boolean =>
  ['DISCONNECTED', 'OVERLOADED', 'TIMEOUT'].includes(code) ||
  detail['code'] === 'SERVICE_NOT_AVAILABLE'
