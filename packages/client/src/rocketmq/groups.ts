/**
 * The consumers of one connection to a cluster, one of each group: RocketMQ's brokers know one
 * member of a group by connection. Their places are written down every few seconds.
 */
import type { Cancel } from '@sagalog/kernel'
import { type LeaseQueuesRequest, type LeaseQueuesResponse, ResponseCode } from '@sagalog/protocol'
import type { Reply } from '../connection.js'
import { ClientError } from '../errors.js'
import type { Cluster } from './cluster.js'
import { GroupSession } from './group-session.js'
import { PLACES_WRITTEN_EVERY_MS } from './limits.js'
import type { PlaceStore } from './place-store.js'
import { groupPlaces, instancePlaces, type Places } from './places.js'

export class Groups {
  readonly #cluster: Cluster
  readonly #store: PlaceStore | undefined
  readonly #sessions = new Map<string, GroupSession>()
  #cancelWrite: Cancel | undefined
  #isClosed = false

  constructor(cluster: Cluster, store: PlaceStore | undefined) {
    this.#cluster = cluster
    this.#store = store
  }

  /** The consumer of the group, if it has one here. */
  of(group: string): GroupSession | undefined {
    return this.#sessions.get(group)
  }

  /** Joins, renews or leaves. A refusal is a reply. */
  async lease(
    request: LeaseQueuesRequest,
    deadlineMs: number,
  ): Promise<Reply<LeaseQueuesResponse>> {
    const { group, instance } = request
    const known = this.#sessions.get(group)
    if (known !== undefined && known.instance !== instance) {
      const remark = `the group[${group}] has the instance ${known.instance} on this connection, and RocketMQ's brokers know one by connection; open another one for ${instance}`
      return { code: ResponseCode.NO_PERMISSION, remark, payload: undefined }
    }
    const session = known ?? this.#open(request)
    if (session !== undefined) return await session.lease(request, deadlineMs)
    const remark = `the instances of a broadcasting group keep their places themselves on RocketMQ: give the connection \`places\``
    return { code: ResponseCode.NO_PERMISSION, remark, payload: undefined }
  }

  close(): void {
    this.#isClosed = true
    this.#cancelWrite?.()
    for (const session of this.#sessions.values()) session.close()
    this.#sessions.clear()
  }

  #open({ group, instance, leaving, mode }: LeaseQueuesRequest): GroupSession | undefined {
    let places: Places
    if (mode === 'clustering') places = groupPlaces(this.#cluster, group)
    else if (this.#store === undefined) return undefined
    else places = instancePlaces(this.#store, { group, instance })
    const onEnd = (): void => {
      if (this.#sessions.get(group) === session) this.#sessions.delete(group)
    }
    const session = new GroupSession(this.#cluster, { group, instance, places, onEnd })
    // Who leaves without having joined has nothing to be kept.
    if (!leaving) this.#sessions.set(group, session)
    this.#writeLater()
    return session
  }

  #writeLater(): void {
    if (this.#cancelWrite !== undefined || this.#isClosed) return
    this.#cancelWrite = this.#cluster.ports.clock.after(PLACES_WRITTEN_EVERY_MS, () => {
      this.#cancelWrite = undefined
      for (const session of this.#sessions.values()) session.write().catch(unlessTold)
      if (this.#sessions.size > 0) this.#writeLater()
    })
  }
}

/** The next request for leases meets the same trouble, and tells of it. */
function unlessTold(thrown: unknown): void {
  if (!ClientError.is(thrown)) throw thrown
}
