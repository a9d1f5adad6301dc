/**
 * Holds queues for work that is not a consumer's: one instance of a group at a time has a queue,
 * and runs a function for it until the lease ends. What it reads, and where it keeps its place, is
 * its own business; the group's place in the queue is not moved.
 */
import type { LeaseRef } from '@sagalog/kernel'
import type { QueueGrant } from '@sagalog/protocol'
import type { Connection } from './connection.js'
import { Leases, type LeaseWork, type QueueName } from './leases.js'

export interface HoldQueuesOptions {
  readonly group: string
  /** Names this instance in its group; one name must not run twice at the same time. */
  readonly instance: string
  readonly topics: readonly string[]
  /**
   * Works for a queue until `signal` aborts: then another instance may begin. A lease is given back
   * once the function has ended; when it ends by itself the queue stays held and idle.
   */
  readonly hold: (queue: QueueName, signal: AbortSignal) => Promise<void>
  readonly onProblem?: (what: string, cause: unknown) => void
}

export interface HeldQueues {
  readonly held: readonly QueueName[]
  /** Aborts all work, waits for it, and gives the queues back. */
  close(): Promise<void>
}

/** Joins the group; resolves once the broker has answered. Rejects when a topic does not exist. */
export async function holdQueues(
  connection: Connection,
  { group, hold, instance, onProblem = () => {}, topics }: HoldQueuesOptions,
): Promise<HeldQueues> {
  const leases = new Leases({
    connection,
    group,
    instance,
    mode: 'clustering',
    from: 'first',
    topics,
    onProblem,
    newWorker: (grant, liveUntilMs) =>
      new QueueHold({ ...grant, group }, liveUntilMs, (signal) =>
        hold({ topic: grant.topic, queueId: grant.queueId }, signal).catch((thrown: unknown) =>
          onProblem(`the work for ${grant.topic}/${grant.queueId} failed`, thrown),
        ),
      ),
  })
  await leases.start()
  return {
    get held() {
      return leases.held
    },
    close: () => leases.leave(),
  }
}

class QueueHold implements LeaseWork {
  readonly lease: LeaseRef
  readonly #work: (signal: AbortSignal) => Promise<void>
  readonly #aborter = new AbortController()
  #running: Promise<void> = Promise.resolve()
  isDraining = false
  isLive = true

  constructor(
    {
      epoch,
      group,
      queueId,
      topic,
    }: Pick<QueueGrant, 'epoch' | 'queueId' | 'topic'> & {
      group: string
    },
    _liveUntilMs: number,
    work: (signal: AbortSignal) => Promise<void>,
  ) {
    this.lease = { group, topic, queueId, epoch }
    this.#work = work
  }

  start(): void {
    this.#running = this.#work(this.#aborter.signal)
  }

  /** The leases themselves end what is not renewed. */
  renew(): void {}

  async drain(): Promise<void> {
    this.isDraining = true
    this.#aborter.abort()
    await this.#running
  }

  end(): void {
    this.isLive = false
    this.#aborter.abort()
  }
}
