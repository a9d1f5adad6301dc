/**
 * The parked keys of a group, for whoever operates it: which wait and why, what is set aside, and
 * the way back. Each call changes a key's stream at the version that it read, so two operators, or
 * an operator and a consumer, never act on what the other has changed.
 */
import { randomHex, streamVersion } from '@sagalog/kernel'
import type { Connection } from './connection.js'
import { ClientError } from './errors.js'
import {
  parkingAppend,
  type Parking,
  type ParkingHead,
  parkingStream,
  parkingStreams,
  readHead,
  readWaiting,
} from './parked-event.js'
import type { ReceivedMessage } from './received.js'
import { openTx } from './tx.js'

/** Names one key of one queue. */
export interface ParkedKeyName {
  readonly topic: string
  readonly queueId: number
  readonly key: string
}

/** A key that does not flow. */
export interface ParkedKey extends ParkedKeyName {
  /** 'released': its messages are on their way back, in order. */
  readonly state: 'parked' | 'released'
  /** Messages that wait, the one that failed among them. */
  readonly messages: number
  /** Why the message that parked the key failed, and its id. */
  readonly reason: string
  readonly messageId: string
  /** How often it was tried; 0 for one that could not be read. */
  readonly attempts: number
  readonly parkedAtMs: number
}

export interface ReleaseOptions {
  /** Drops the message that failed, and begins with the next. */
  readonly skipFirst?: boolean
}

export interface ParkedKeys {
  /** All that do not flow, those that wait longest first. */
  list(): Promise<readonly ParkedKey[]>
  /** What waits of one key, in order; at most `max`, 100 unless told. */
  messages(name: ParkedKeyName, max?: number): Promise<readonly ReceivedMessage[]>
  /**
   * Lets a key go on: its messages come to the group's handlers in their order, before any later
   * one of the key. When one fails for good once more the key is parked again. False when the key
   * is not parked.
   */
  release(name: ParkedKeyName, options?: ReleaseOptions): Promise<boolean>
  /** Drops all that is set aside of a key, which flows again then; their number. */
  discard(name: ParkedKeyName): Promise<number>
}

/** A key whose later messages go on coming is changed under the feet of whoever acts on it. */
const TRIES_MAX = 50

/** @throws Nothing; all calls reject with the ClientErrors of any request. */
export function parkedKeysOf(connection: Connection, group: string): ParkedKeys {
  async function headOf({ key, queueId, topic }: ParkedKeyName): Promise<ParkingHead | undefined> {
    const stream = parkingStream(topic, queueId, key)
    return stream === undefined ? undefined : readHead(connection, group, stream)
  }

  /** Appends one event at the version that `next` was decided on; undefined when it decides not. */
  async function change(
    name: ParkedKeyName,
    next: (head: ParkingHead & { parking: Parking }) => Promise<Change | undefined>,
  ): Promise<ParkingHead | undefined> {
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      const head = await headOf(name)
      if (head?.parking === undefined || head.parking.state === 'flowing') return undefined
      const waiting = { ...head, parking: head.parking }
      const event = await next(waiting)
      if (event === undefined) return undefined
      const tx = openTx(connection, { key: randomHex(connection.ports.random) })
      tx.append(parkingAppend(group, waiting, event))
      const end = await tx.commit()
      if (end.kind === 'committed') return head
      if (end.kind !== 'refused' || end.refusal.reason !== 'version-conflict') break
    }
    const remark = `${name.topic}/${name.queueId} ${name.key} goes on changing; try again`
    throw new ClientError('REJECTED', { request: 'commit', code: 'IN_USE', remark })
  }

  return {
    async list() {
      const found: ParkedKey[] = []
      for await (const { stream } of parkingStreams(connection, group)) {
        const { parking } = await readHead(connection, group, stream)
        if (parking === undefined || parking.state === 'flowing') continue
        const { left: messages, next: _, state, ...rest } = parking
        found.push({ ...rest, state, messages })
      }
      return found.toSorted((one, other) => one.parkedAtMs - other.parkedAtMs)
    },
    async messages(name, max = 100) {
      const found: ReceivedMessage[] = []
      let head = await headOf(name)
      while (
        head?.parking !== undefined &&
        head.parking.state !== 'flowing' &&
        found.length < max
      ) {
        const waiting = await readWaiting(connection, group, head)
        if (waiting === undefined) break
        found.push(waiting.message)
        const next = streamVersion(waiting.version + 1)
        head = { ...head, parking: { ...head.parking, next } }
      }
      return found
    },
    async release(name, { skipFirst = false } = {}) {
      const head = await change(name, async (waiting) => {
        const { parking } = waiting
        if (parking.state !== 'parked') return undefined
        const released = { ...parking, state: 'released' as const }
        if (!skipFirst) return { type: 'released', after: released }
        const first = await readWaiting(connection, group, waiting)
        const next = first === undefined ? parking.next : streamVersion(first.version + 1)
        const left = Math.max(0, parking.left - 1)
        return { type: 'released', after: { ...released, next, left } }
      })
      return head !== undefined
    },
    async discard(name) {
      const head = await change(name, async ({ parking, version }) => {
        const next = streamVersion(version + 2)
        return { type: 'discarded', after: { ...parking, state: 'flowing', left: 0, next } }
      })
      return head?.parking?.left ?? 0
    },
  }
}

interface Change {
  readonly type: string
  readonly after: Parking
}
