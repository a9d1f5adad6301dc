/**
 * Where a consumer's places are kept: those of a group at the brokers of its queues, those of a
 * broadcasting instance in the store that the connection was given. Written every few seconds and
 * whenever a queue changes hands.
 */
import { queueOffset, type QueueOffset } from '@sagalog/kernel'
import { ResponseCode, updateConsumerOffset } from '@sagalog/protocol'
import { ClientError } from '../errors.js'
import { type Beginning, placeOfGroup } from './begin-offset.js'
import { askBroker, type Cluster } from './cluster.js'
import { PLACE_TIMEOUT_MS } from './limits.js'
import type { PlaceOwner, PlaceStore, StoredPlace } from './place-store.js'
import type { SessionQueue, WantedQueue } from './session-queue.js'

/** A queue and how far it is read. */
export type PlacedQueue = WantedQueue &
  Pick<SessionQueue, 'place'> & { written?: SessionQueue['written'] }

export interface Places {
  /** Undefined when there is no place yet. Rejects with ClientError. */
  find(beginning: Beginning): Promise<QueueOffset | undefined>
  /** Writes the places that have moved; what does not arrive is written again next time. */
  write(queues: readonly PlacedQueue[]): Promise<void>
  /** The same at once, without an answer. */
  tell(queues: readonly PlacedQueue[]): void
}

/** The places of a clustering group. */
export function groupPlaces(cluster: Cluster, group: string): Places {
  const requestOf = ({ at, place, topic }: PlacedQueue) => {
    const { queueId } = at
    return { consumerGroup: group, topic, queueId, commitOffset: place.watermark }
  }
  async function writeOne(queue: PlacedQueue): Promise<void> {
    const address = cluster.routes.addressOf(queue.at.brokerName)
    if (address === undefined) return
    const payload = requestOf(queue)
    const deadlineMs = cluster.ports.clock.monotonicMs() + PLACE_TIMEOUT_MS
    const question = { codec: updateConsumerOffset, payload, deadlineMs }
    try {
      const { code } = await askBroker(cluster, address, question)
      if (code === ResponseCode.SUCCESS) queue.written = payload.commitOffset
    } catch (thrown) {
      if (!ClientError.is(thrown)) throw thrown
    }
  }
  return {
    find: (beginning) => placeOfGroup(cluster, group, beginning),
    async write(queues) {
      await Promise.all(queues.filter(hasMoved).map(writeOne))
    },
    tell(queues) {
      for (const queue of queues.filter(hasMoved)) {
        const address = cluster.routes.addressOf(queue.at.brokerName)
        if (address === undefined) continue
        cluster.brokers.at(address).oneWay(updateConsumerOffset, requestOf(queue))
      }
    },
  }
}

const hasMoved = ({ place, written }: PlacedQueue): boolean => place.watermark !== written

/** The places of one broadcasting instance. */
export function instancePlaces(store: PlaceStore, owner: PlaceOwner): Places {
  const keyOf = ({ brokerName, queueId, topic }: Omit<StoredPlace, 'offset'>): string =>
    `${topic}\u0000${brokerName}\u0000${queueId}`
  let known: Promise<Map<string, StoredPlace>> | undefined
  const failed = (what: string, cause: unknown): ClientError => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    return new ClientError('PLACES_FAILED', { ...owner, what, reason }, { cause })
  }
  async function load(): Promise<Map<string, StoredPlace>> {
    const places = await store.load(owner)
    return new Map(places.map((place) => [keyOf(place), place]))
  }
  async function all(): Promise<Map<string, StoredPlace>> {
    known ??= load()
    try {
      return await known
    } catch (thrown) {
      known = undefined
      throw failed('read', thrown)
    }
  }
  /** One save at a time: a later one must not be overtaken. */
  let saving: Promise<void> = Promise.resolve()
  async function save(queues: readonly PlacedQueue[]): Promise<void> {
    const places = await all()
    const moved = queues.map((queue) => ({ queue, offset: queue.place.watermark }))
    for (const { offset, queue } of moved) {
      const place = { topic: queue.topic, ...queue.at, offset }
      places.set(keyOf(place), place)
    }
    await store.save(owner, [...places.values()]).catch((thrown: unknown) => {
      throw failed('written', thrown)
    })
    for (const { offset, queue } of moved) queue.written = offset
  }
  function write(queues: readonly PlacedQueue[]): Promise<void> {
    const moved = queues.filter(hasMoved)
    if (moved.length === 0) return saving
    const saved = saving.then(() => save(moved))
    saving = saved.catch(() => undefined)
    return saved
  }
  return {
    async find({ queue }) {
      const place = (await all()).get(keyOf({ topic: queue.topic, ...queue.at }))
      return place === undefined ? undefined : queueOffset(place.offset)
    },
    write,
    tell(queues) {
      write(queues).catch(() => undefined)
    },
  }
}
