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

const holders = new WeakMap<Delivery, Holder>()

export function newDelivery(holder: Holder, offset: QueueOffset): Delivery {
  const { group, topic, queueId } = holder.lease
  const delivery: Delivery = { group, topic, queueId, offset }
  holders.set(delivery, holder)
  return delivery
}

export function holderOf(delivery: Delivery): Holder {
  const holder = holders.get(delivery)
  assert(holder !== undefined, 'a delivery is the very object that a handler was given')
  return holder
}
