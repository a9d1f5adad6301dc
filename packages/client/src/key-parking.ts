/**
 * The parked keys of one queue, as the holder of its lease keeps them: which keys wait, what is set
 * aside behind them, and what comes back once a person has released a key.
 *
 * Invariants: while a key is not flowing, each of its messages goes to the end of its stream, in
 * the commit that settles it; those of a released key leave the stream in order, each in the commit
 * of its handler, and the key flows again in the commit of the last one. All commits are under the
 * queue's lease, and name the version of the stream that they were decided on. Memory is one entry
 * for each key that waits.
 */
import { streamVersion, type StreamVersion } from '@sagalog/kernel'
import { parkedTopic } from '@sagalog/protocol'
import type { Connection } from './connection.js'
import { commitDeadLetter } from './dead-letter.js'
import { type Delivery, type Holder, newDelivery } from './delivery.js'
import { ClientError } from './errors.js'
import { PARKED_KEYS_MAX } from './limits.js'
import {
  parkedAppend,
  parkingAppend,
  type Parking,
  type ParkingHead,
  parkingStream,
  parkingStreams,
  readHead,
  readWaiting,
  streamPrefix,
} from './parked-event.js'
import type { ReceivedMessage } from './received.js'
import { ensureTopic } from './topic.js'
import { openTx, type OpenTx, type Tx } from './tx.js'

/** Why a message is set aside. */
export interface ParkedBecause {
  readonly reason: string
  /** 0 for one that could not be read. */
  readonly attempts: number
}

/** A message that comes back, and what it takes to settle it. */
export interface Returning {
  readonly key: string
  readonly message: ReceivedMessage
  readonly version: StreamVersion
  readonly delivery: Delivery
}

type Waiting = ParkingHead & { readonly parking: Parking }

const isWaiting = (head: ParkingHead): head is Waiting =>
  head.parking !== undefined && head.parking.state !== 'flowing'

export class KeyParking {
  readonly #connection: Connection
  readonly #holder: Holder
  /** The keys that do not flow. */
  readonly #waiting = new Map<string, Waiting>()
  #isKnown = false

  constructor(connection: Connection, holder: Holder) {
    this.#connection = connection
    this.#holder = holder
  }

  /** True once what earlier holders parked is known. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  isParked(key: string): boolean {
    return this.#waiting.has(key)
  }

  /** Looks what others did: all of it at first, then what became of the keys that wait. */
  async look(): Promise<void> {
    if (this.#isKnown && this.#waiting.size === 0) return
    const { group, queueId, topic } = this.#holder.lease
    const prefix = streamPrefix(topic, queueId)
    const known = new Map([...this.#waiting.values()].map((head) => [head.stream, head.version]))
    for await (const { stream, version } of parkingStreams(this.#connection, group)) {
      if (!stream.startsWith(prefix)) continue
      const mayBeNews = known.has(stream) || !this.#isKnown
      if (mayBeNews && known.get(stream) !== version) await this.#read(stream)
    }
    this.#isKnown = true
  }

  async #read(stream: string): Promise<ParkingHead> {
    const head = await readHead(this.#connection, this.#holder.lease.group, stream)
    this.#keep(head)
    return head
  }

  #keep(head: ParkingHead): void {
    const { parking } = head
    if (parking === undefined) return
    const known = this.#waiting.get(parking.key)
    if (known !== undefined && known.version > head.version) return
    if (isWaiting(head)) this.#waiting.set(parking.key, head)
    else this.#waiting.delete(parking.key)
  }

  /**
   * Settles the message and sets it aside in one commit: behind those of its key that wait, or, for
   * one that failed, as the first. False when its key flows again meanwhile and it did not fail
   * itself. Resolves as well when the lease has ended. Rejects with ClientError, to be tried again.
   */
  async park(
    delivery: Delivery,
    message: ReceivedMessage,
    failed: ParkedBecause | undefined,
  ): Promise<boolean> {
    const { key = '' } = message
    const { group, queueId, topic } = delivery
    const stream = parkingStream(topic, queueId, key)
    for (;;) {
      if (stream === undefined) break
      const head = this.#waiting.get(key) ?? (await this.#read(stream))
      if (!isWaiting(head)) {
        if (failed === undefined) return false
        this.#requireRoom()
      }
      const after = parkedAfter(head, { message, failed, queueId, topic, key, nowMs: this.#nowMs })
      const tx = openTx(this.#connection)
      tx.ack(delivery)
      this.#append(tx, head, parkedAppend(group, head, message, after), after)
      const end = await this.#commit(tx)
      if (end === 'too-large') break
      if (end === 'done') return true
    }
    const { attempts = 0, reason = `its key ${key.slice(0, 80)} is parked` } = failed ?? {}
    await commitDeadLetter(this.#connection, { delivery, message, reason, attempts })
    return true
  }

  /** The next message of a key that a person has released. */
  async returning(): Promise<Returning | undefined> {
    for (const head of this.#waiting.values()) {
      if (head.parking.state !== 'released') continue
      const found = await readWaiting(this.#connection, this.#holder.lease.group, head)
      if (found === undefined) {
        await this.#change(head, { type: 'flowing', after: flowing(head) })
        continue
      }
      const { message, version } = found
      const delivery = newDelivery(this.#holder, message.offset)
      return { key: head.parking.key, message, version, delivery }
    }
    return undefined
  }

  /** Puts into its handler's transaction that it has come back. */
  handled(tx: OpenTx, { key, version }: Returning): void {
    const head = this.#waiting.get(key)
    if (head === undefined) return
    const left = head.parking.left - 1
    const next = streamVersion(version + 1)
    const state = left === 0 ? 'flowing' : 'released'
    const after: Parking = { ...head.parking, state, left, next }
    const { group } = this.#holder.lease
    tx.under(this.#holder)
    this.#append(tx, head, parkingAppend(group, head, { type: 'handled', after }), after)
  }

  /** It failed once more: its key waits for a person again, and it is the first. */
  async failed({ key, message }: Returning, { attempts, reason }: ParkedBecause): Promise<void> {
    const head = this.#waiting.get(key)
    if (head === undefined) return
    const messageId = message.id
    const parkedAtMs = this.#nowMs
    const why = { reason: printable(reason), attempts, messageId, parkedAtMs }
    const after: Parking = { ...head.parking, ...why, state: 'parked' }
    await this.#change(head, { type: 'failed', after })
  }

  /** Names the commit of a message that comes back, which acknowledges nothing. */
  nameOf({ key, version }: Returning): string {
    const { group, queueId, topic } = this.#holder.lease
    const stream = parkingStream(topic, queueId, key) ?? ''
    return `${parkedTopic(group)} ${stream} ${version}`
  }

  /** What is known of the key is not what the broker has. */
  async forget({ key }: Pick<Returning, 'key'>): Promise<void> {
    const head = this.#waiting.get(key)
    if (head !== undefined) await this.#read(head.stream)
  }

  get #nowMs(): number {
    return this.#connection.ports.clock.wallMs()
  }

  #requireRoom(): void {
    if (this.#waiting.size < PARKED_KEYS_MAX) return
    const { queueId, topic } = this.#holder.lease
    const remark = `${this.#waiting.size} keys of ${topic}/${queueId} wait for a person already`
    const code = 'PARKED_KEYS_MAX'
    throw new ClientError('REJECTED', { request: 'parking a key', code, remark })
  }

  async #change(head: Waiting, event: { type: string; after: Parking }): Promise<void> {
    const { group } = this.#holder.lease
    const tx = openTx(this.#connection, {
      key: `${parkedTopic(group)} ${head.stream} ${event.type} ${head.version}`,
    })
    tx.under(this.#holder)
    this.#append(tx, head, parkingAppend(group, head, event), event.after)
    if ((await this.#commit(tx)) === 'conflict') await this.#read(head.stream)
  }

  #append(
    tx: Tx,
    { stream, version }: ParkingHead,
    append: Parameters<Tx['append']>[0],
    after: Parking,
  ): void {
    tx.append(append)
    tx.onCommitted(() =>
      this.#keep({ stream, version: streamVersion(version + 1), parking: after }),
    )
  }

  async #commit(tx: OpenTx): Promise<'done' | 'conflict' | 'too-large'> {
    const { group } = this.#holder.lease
    try {
      const end = await tx.commit()
      if (end.kind !== 'refused') return 'done'
      const { refusal } = end
      if (refusal.reason === 'no-such-topic') await this.#makeTopic(group)
      else if (refusal.reason === 'version-conflict') {
        this.#dropStale(refusal.stream)
      } else if (refusal.reason === 'stale-lease' || refusal.reason === 'already-settled') {
        return 'done'
      } else {
        const remark = `the commit was refused: ${refusal.reason}`
        throw new ClientError('REJECTED', { request: 'commit', code: refusal.reason, remark })
      }
      return 'conflict'
    } catch (thrown) {
      if (!ClientError.is(thrown)) throw thrown
      const { code } = thrown.detail
      if (code === 'MESSAGE_ILLEGAL') return 'too-large'
      if (code !== 'TOPIC_NOT_EXIST') throw thrown
      await this.#makeTopic(group)
      return 'conflict'
    }
  }

  #dropStale(stream: string): void {
    for (const [key, head] of this.#waiting) if (head.stream === stream) this.#waiting.delete(key)
  }

  #makeTopic(group: string): Promise<void> {
    return ensureTopic(this.#connection, parkedTopic(group), { queues: 1, kind: 'event' })
  }
}

function flowing({ parking, version }: Waiting): Parking {
  return { ...parking, state: 'flowing', left: 0, next: streamVersion(version + 2) }
}

function parkedAfter(
  head: ParkingHead,
  given: {
    readonly message: ReceivedMessage
    readonly failed: ParkedBecause | undefined
    readonly topic: string
    readonly queueId: number
    readonly key: string
    readonly nowMs: number
  },
): Parking {
  const { failed, key, message, nowMs, queueId, topic } = given
  if (isWaiting(head)) return { ...head.parking, left: head.parking.left + 1 }
  const { attempts = 0, reason = '' } = failed ?? {}
  return {
    topic,
    queueId,
    key,
    state: 'parked',
    next: streamVersion(head.version + 1),
    left: 1,
    reason: printable(reason),
    messageId: message.id,
    attempts,
    parkedAtMs: nowMs,
  }
}

const REASON_CHARS_MAX = 1_000

const printable = (reason: string): string =>
  reason.replaceAll(/\p{Cc}+/gu, ' ').slice(0, REASON_CHARS_MAX)
