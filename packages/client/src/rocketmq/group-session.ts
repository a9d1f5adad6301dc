/**
 * One consumer of a group at a cluster. For the code above it is the broker that leases queues; for
 * the cluster it is a member that says who it is, computes its share, and writes down its places.
 *
 * Invariants: a queue has one epoch from grant to release, never given twice. A queue in order is
 * granted only while its broker's lock is held, and for less time than that lock lasts. Requests
 * for leases are answered one after the other.
 */
import { type Cancel, leaseEpoch, type LeaseEpoch, type QueueOffset } from '@sagalog/kernel'
import {
  type LeaseQueuesRequest,
  type LeaseQueuesResponse,
  notifyMembers,
  ResponseCode,
} from '@sagalog/protocol'
import type { Reply } from '../connection.js'
import { ClientError } from '../errors.js'
import { placeByTime } from './begin-offset.js'
import type { Cluster } from './cluster.js'
import { LEASE_MS, LOCK_AGE_MS_MAX, REBALANCE_SOON_MS } from './limits.js'
import { Membership } from './membership.js'
import type { Places } from './places.js'
import { askForLocks, giveLocksBack } from './queue-locks.js'
import { ReadPlace } from './read-place.js'
import type { ClusterRoute } from './route-table.js'
import { queueKey, type SessionQueue, type WantedQueue } from './session-queue.js'
import { GroupMembers, wantedQueues } from './wanted-queues.js'

export interface SessionOptions {
  readonly group: string
  readonly instance: string
  readonly places: Places
  /** The consumer has left. */
  readonly onEnd: () => void
}

export class GroupSession {
  readonly group: string
  readonly instance: string
  readonly membership: Membership
  readonly #cluster: Cluster
  readonly #options: SessionOptions
  readonly #queues = new Map<string, SessionQueue>()
  /** Where queues begin that were moved while they were held. */
  readonly #moved = new Map<string, QueueOffset>()
  readonly #routes = new Map<string, ClusterRoute>()
  #epoch = 0
  /** Why something could not be had, of the last request. */
  #failure: ClientError | undefined
  #askedAtMs = 0
  #turn: Promise<unknown> = Promise.resolve()
  #cancelSoon: Cancel = () => {}

  constructor(cluster: Cluster, options: SessionOptions) {
    this.#cluster = cluster
    this.#options = options
    this.group = options.group
    this.instance = options.instance
    this.membership = new Membership(cluster)
  }

  get queues(): readonly SessionQueue[] {
    return [...this.#queues.values()]
  }

  /** The queue, if it is held. */
  at(topic: string, queueId: number): SessionQueue | undefined {
    return this.#queues.get(queueKey({ topic, queueId }))
  }

  /** The queue, if it is held under this epoch. */
  find(topic: string, queueId: number, epoch: LeaseEpoch | undefined): SessionQueue | undefined {
    const queue = this.at(topic, queueId)
    return queue?.epoch === epoch ? queue : undefined
  }

  /** Writes down how far it has come. Rejects with ClientError. */
  async write(): Promise<void> {
    if (this.#isCurrent) await this.#options.places.write(this.queues)
  }

  lease(request: LeaseQueuesRequest, deadlineMs: number): Promise<Reply<LeaseQueuesResponse>> {
    const answer = this.#turn.then(() =>
      request.leaving ? this.#leave(deadlineMs) : this.#lease(request, deadlineMs),
    )
    this.#turn = answer.catch(() => undefined)
    return answer
  }

  /** The queue goes on elsewhere: what is in hand of it is not settled any more. */
  async move(queue: SessionQueue, offset: QueueOffset): Promise<void> {
    const key = queueKey(queue)
    if (this.#queues.get(key) !== queue) return
    this.#queues.delete(key)
    this.#moved.set(key, offset)
    await this.#options.places.write([{ ...queue, place: new ReadPlace(offset) }])
    this.#askAgain()
  }

  /** Says where it stands, without waiting for an answer: the connection is about to close. */
  close(): void {
    this.#cancelSoon()
    if (this.#isCurrent) this.#options.places.tell(this.queues)
  }

  /**
   * True while the code above asks for its leases. Paused for longer, what is held here is
   * somebody else's by now, and so are the places.
   */
  get #isCurrent(): boolean {
    return this.#cluster.ports.clock.monotonicMs() - this.#askedAtMs < LEASE_MS
  }

  async #leave(deadlineMs: number): Promise<Reply<LeaseQueuesResponse>> {
    try {
      await this.#release(this.queues, deadlineMs)
    } finally {
      this.#cancelSoon()
      await this.membership.withdraw()
      this.#options.onEnd()
    }
    const payload = { leaseMs: LEASE_MS, grants: [], revoked: [] }
    return { code: ResponseCode.SUCCESS, payload }
  }

  async #lease(
    request: LeaseQueuesRequest,
    deadlineMs: number,
  ): Promise<Reply<LeaseQueuesResponse>> {
    // Not asked for so long: whatever was held is over, and must not be written down.
    if (!this.#isCurrent) this.#queues.clear()
    this.#askedAtMs = this.#cluster.ports.clock.monotonicMs()
    const missing = await this.#missingTopic(request.topics)
    if (missing !== undefined) {
      const remark = `topic[${missing}] not exist, apply first please!`
      return { code: ResponseCode.TOPIC_NOT_EXIST, remark, payload: undefined }
    }
    const addresses = new Set([...this.#routes.values()].flatMap(addressesOf))
    await this.membership.announce(request, addresses)
    await this.write()
    await this.#release(unnamed(this.queues, request), deadlineMs)
    const { fresh, isWhole } = await this.#share(request)
    const lockable = await this.#lock(fresh, deadlineMs)
    const granted = await this.#grant(lockable, { request, deadlineMs })
    if (this.#failure !== undefined && this.#queues.size === 0) throw this.#failure
    if (!isWhole || granted < fresh.length) this.#askSoon()
    return { code: ResponseCode.SUCCESS, payload: this.#answer() }
  }

  /** Undefined when all topics are known, now or from before. */
  async #missingTopic(topics: readonly string[]): Promise<string | undefined> {
    const { routes } = this.#cluster
    const asked = topics.map(async (topic) => {
      try {
        return { topic, route: await routes.of(topic) }
      } catch (thrown) {
        // Who reads already goes on without a name server.
        if (!ClientError.is(thrown) || !this.#routes.has(topic)) throw thrown
        return { topic, route: undefined }
      }
    })
    for (const { route, topic } of await Promise.all(asked)) {
      if (route !== undefined) this.#routes.set(topic, route)
      else if (!this.#routes.has(topic)) return topic
    }
    return undefined
  }

  /** What it should have and does not yet; marks what it should not have any more. */
  async #share(
    request: LeaseQueuesRequest,
  ): Promise<{ readonly fresh: readonly WantedQueue[]; readonly isWhole: boolean }> {
    this.#failure = undefined
    const members = new GroupMembers(this.#cluster, this.group)
    const fresh: WantedQueue[] = []
    let isWhole = true
    for (const topic of request.topics) {
      const route = this.#routes.get(topic)
      const wanted = route && (await wantedQueues(this.#cluster, route, { members, request }))
      if (wanted === undefined) {
        isWhole = false
        this.#failure = members.whyAbsent
        continue
      }
      const keys = new Set(wanted.map(queueKey))
      for (const [key, queue] of this.#queues)
        if (queue.topic === topic) queue.isRevoked = !keys.has(key)
      fresh.push(...wanted.filter((queue) => !this.#queues.has(queueKey(queue))))
    }
    for (const queue of this.#queues.values())
      if (!request.topics.includes(queue.topic)) queue.isRevoked = true
    return { fresh, isWhole }
  }

  /** Renews the locks that are held; gives those fresh queues that may be read. */
  async #lock(fresh: readonly WantedQueue[], deadlineMs: number): Promise<readonly WantedQueue[]> {
    const held = this.queues.filter(({ lockedAtMs }) => lockedAtMs !== undefined)
    const inOrder = fresh.filter(({ topic }) => this.membership.isOrderly(topic))
    if (held.length + inOrder.length === 0) return fresh
    const { clock } = this.#cluster.ports
    const askedAtMs = clock.monotonicMs()
    const queues = [...held, ...inOrder]
    const states = await askForLocks(this.#cluster, this.group, { queues, deadlineMs })
    for (const queue of held) {
      const state = states.get(queueKey(queue)) ?? 'unknown'
      if (state === 'locked') queue.lockedAtMs = askedAtMs
      const isOld = askedAtMs - (queue.lockedAtMs ?? 0) > LOCK_AGE_MS_MAX
      if (state === 'refused' || isOld) this.#queues.delete(queueKey(queue))
    }
    return fresh.filter(
      (queue) =>
        !this.membership.isOrderly(queue.topic) || states.get(queueKey(queue)) === 'locked',
    )
  }

  /** Grants those whose beginning can be found; gives their number. */
  async #grant(
    fresh: readonly WantedQueue[],
    { deadlineMs, request }: { readonly request: LeaseQueuesRequest; readonly deadlineMs: number },
  ): Promise<number> {
    const begins = await Promise.all(fresh.map((queue) => this.#begin(queue, request, deadlineMs)))
    let granted = 0
    for (const [at, queue] of fresh.entries()) {
      const begin = begins[at]
      if (begin === undefined) continue
      granted += 1
      this.#epoch += 1
      this.#moved.delete(queueKey(queue))
      this.#queues.set(queueKey(queue), {
        ...queue,
        epoch: leaseEpoch(this.#epoch),
        place: new ReadPlace(begin),
        tags: this.membership.tagsOf(queue.topic),
        lockedAtMs: this.membership.isOrderly(queue.topic) ? this.#askedAtMs : undefined,
        written: begin,
        isRevoked: false,
      })
    }
    return granted
  }

  /** Undefined when its broker does not say. */
  async #begin(
    queue: WantedQueue,
    { from }: LeaseQueuesRequest,
    deadlineMs: number,
  ): Promise<QueueOffset | undefined> {
    const moved = this.#moved.get(queueKey(queue))
    if (moved !== undefined) return moved
    const address = this.#cluster.routes.addressOf(queue.at.brokerName)
    if (address === undefined) return undefined
    const beginning = { queue, address, from, deadlineMs }
    const { places } = this.#options
    try {
      const known = await places.find(beginning)
      if (known !== undefined) return known
      const begin = await placeByTime(this.#cluster, beginning)
      await places.write([{ ...queue, place: new ReadPlace(begin) }])
      return begin
    } catch (thrown) {
      if (!ClientError.is(thrown)) throw thrown
      this.#failure = thrown
      return undefined
    }
  }

  async #release(queues: readonly SessionQueue[], deadlineMs: number): Promise<void> {
    if (queues.length === 0) return
    await this.#options.places.write(queues)
    const locked = queues.filter(({ lockedAtMs }) => lockedAtMs !== undefined)
    await giveLocksBack(this.#cluster, this.group, { queues: locked, deadlineMs })
    for (const queue of queues)
      if (this.#queues.get(queueKey(queue)) === queue) this.#queues.delete(queueKey(queue))
  }

  #answer(): LeaseQueuesResponse {
    const grants = this.queues.map(({ epoch, place, queueId, topic }) => {
      return { topic, queueId, epoch, watermark: place.watermark, settled: [] }
    })
    const revoked = this.queues
      .filter(({ isRevoked }) => isRevoked)
      .map(({ queueId, topic }) => ({ topic, queueId }))
    return { leaseMs: LEASE_MS, grants, revoked }
  }

  /** Nobody says when a lock is free, or when a broker is back that did not answer. */
  #askSoon(): void {
    this.#cancelSoon()
    this.#cancelSoon = this.#cluster.ports.clock.after(REBALANCE_SOON_MS, () => this.#askAgain())
  }

  #askAgain(): void {
    this.#cluster.hand(notifyMembers, { consumerGroup: this.group })
  }
}

const addressesOf = ({ brokers }: ClusterRoute): string[] =>
  brokers.map(({ brokerAddress }) => brokerAddress)

/** What the code above does not name any more, it has given back or never got. */
function unnamed(
  queues: readonly SessionQueue[],
  { held }: LeaseQueuesRequest,
): readonly SessionQueue[] {
  const named = new Map(held.map((queue) => [queueKey(queue), queue.epoch]))
  return queues.filter((queue) => named.get(queueKey(queue)) !== queue.epoch)
}
