/**
 * A message in the hands of a consumer, and the tie from it to the queue's lease. Users hold the
 * name only; who may settle it is known here, so no user code settles what it was not given.
 */
import { assert, type LeaseRef, type QueueOffset } from '@sagalog/kernel'

/** Names one delivered message. Hand it to `tx.ack` to settle it. */
export interface Delivery {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  readonly offset: QueueOffset
}

/** Whoever holds the lease under which a message was delivered. */
export interface Holder {
  readonly lease: LeaseRef
  /** False once the lease has ended at this end; nothing is committed under it any more. */
  readonly isLive: boolean
  /** Monotonic milliseconds after which it is not live, unless it is renewed. */
  readonly liveUntilMs: number
  /** The message's acknowledgement is committed. */
  settled(offset: QueueOffset): void
  /** The broker said that the lease has ended. */
  leaseEnded(): void
}

class HeldDelivery implements Delivery {
  readonly group: string
  readonly topic: string
  readonly queueId: number
  readonly offset: QueueOffset
  readonly #holder: Holder

  constructor(holder: Holder, offset: QueueOffset) {
    const { group, topic, queueId } = holder.lease
    this.group = group
    this.topic = topic
    this.queueId = queueId
    this.offset = offset
    this.#holder = holder
  }

  static holderOf(delivery: Delivery): Holder | undefined {
    return #holder in delivery ? delivery.#holder : undefined
  }
}

export function newDelivery(holder: Holder, offset: QueueOffset): Delivery {
  return new HeldDelivery(holder, offset)
}

export function holderOf(delivery: Delivery): Holder {
  const holder = HeldDelivery.holderOf(delivery)
  assert(holder !== undefined, 'a delivery is the very object that a handler was given')
  return holder
}
