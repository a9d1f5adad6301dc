/**
 * Retries by the group's retry topic: a message whose handler failed is settled and comes again
 * later, from a queue of the group's own, with the count of its tries. So others of its queue do
 * not wait for it, and the count outlives whoever handles it.
 */
import { delayLevelMs, MessageConst, RETRY_LEVEL_BASE, retryTopic } from '@sagalog/protocol'
import type { StoredMessage } from '@sagalog/protocol'
import type { Random } from '@sagalog/kernel'
import { backoffMs } from './backoff.js'
import type { Connection } from './connection.js'
import type { Delivery } from './delivery.js'
import { commitMove, copyFor } from './moved-message.js'
import type { ReceivedMessage } from './received.js'

/**
 * How long a message waits after its n-th try. 'levels': as RocketMQ does, 10 s, 30 s, 1 min, 2 min
 * and so on up to 2 h. 'backoff': doubling from `minMs` up to `maxMs`, half of it left to chance.
 */
export type RetryPolicy =
  | { readonly by: 'levels' }
  | { readonly by: 'backoff'; readonly minMs: number; readonly maxMs: number }

export interface FailedMessage {
  readonly delivery: Delivery
  readonly message: ReceivedMessage
  /** How often it was tried, the last failure included. */
  readonly attempts: number
  readonly delayMs: number
}

export function retryDelayMs(policy: RetryPolicy, attempts: number, random: Random): number {
  if (policy.by === 'levels') return delayLevelMs(RETRY_LEVEL_BASE + attempts - 1)
  return Math.max(1, Math.ceil(backoffMs(random, attempts - 1, policy)))
}

/**
 * Settles the message and sets its next try in one commit. Resolves as well when the lease has
 * ended: the queue's next holder decides then. Rejects with ClientError, to be tried again.
 */
export async function commitRetry(connection: Connection, failed: FailedMessage): Promise<void> {
  const { attempts, delayMs, delivery, message } = failed
  const again = copyFor(retryTopic(delivery.group), message, {
    [MessageConst.PROPERTY_RETRY_TOPIC]: message.topic,
    [MessageConst.PROPERTY_ORIGIN_MESSAGE_ID]: message.id,
    [MessageConst.PROPERTY_RECONSUME_TIME]: String(attempts),
  })
  await commitMove(connection, { delivery, message: again, delayMs })
}

/** A message as its handler knows it: one of the retry topic has its first topic and id again. */
export function asFirstSent(message: ReceivedMessage, stored: StoredMessage): ReceivedMessage {
  const topic = message.properties[MessageConst.PROPERTY_RETRY_TOPIC]
  if (topic === undefined) return message
  // A broker that brings it again keeps its producer's id; our own commit stores a new message.
  if (stored.reconsumeTimes > 0) return { ...message, topic }
  const id = message.properties[MessageConst.PROPERTY_ORIGIN_MESSAGE_ID] ?? message.id
  return { ...message, topic, id }
}

/** How often a message was tried before this delivery, as our commit or a broker counted it. */
export function triesBefore({ properties }: ReceivedMessage, stored: StoredMessage): number {
  const text = properties[MessageConst.PROPERTY_RECONSUME_TIME] ?? ''
  const counted = /^\d{1,9}$/.test(text) ? Number(text) : 0
  return Math.max(counted, stored.reconsumeTimes)
}
