/**
 * Moves a delivered message to another topic: it is settled and stored there in one commit, so a
 * crash in the middle leaves it where it was or where it goes, and never in both or nowhere.
 */
import type { OutgoingMessage } from '@sagalog/kernel'
import type { Connection } from './connection.js'
import type { Delivery } from './delivery.js'
import { ClientError } from './errors.js'
import { isSystemProperty } from './outgoing-message.js'
import type { ReceivedMessage } from './received.js'
import { ensureTopic } from './topic.js'
import { openTx, type OpenTx, type TxEnd } from './tx.js'

export interface Move {
  readonly delivery: Delivery
  readonly message: OutgoingMessage
  /** How long it is kept back, milliseconds. */
  readonly delayMs: number
}

/**
 * Resolves as well when the lease has ended: the queue's next holder decides then. Makes the topic
 * with one queue when it is missing. Rejects with ClientError, to be tried again.
 */
export async function commitMove(connection: Connection, move: Move): Promise<void> {
  const { delayMs, delivery, message } = move
  for (;;) {
    const tx = openTx(connection)
    tx.ack(delivery)
    if (delayMs === 0) tx.forward(message)
    else tx.forwardLater(timerId(move), delayMs, message)
    const missing = await commitUnlessMissing(tx)
    if (!missing) return
    await ensureTopic(connection, message.topic, { queues: 1 })
  }
}

/** One message is moved on once at most, so its place names the timer. */
function timerId({ delivery, message }: Move): string {
  return `${message.topic} ${delivery.topic}/${delivery.queueId}@${delivery.offset}`
}

/** True when the topic has to be made first. */
async function commitUnlessMissing(tx: OpenTx): Promise<boolean> {
  let end: TxEnd
  try {
    end = await tx.commit()
  } catch (thrown) {
    if (!ClientError.is(thrown) || thrown.detail['code'] !== 'TOPIC_NOT_EXIST') throw thrown
    return true
  }
  if (end.kind !== 'refused') return false
  const { reason } = end.refusal
  if (reason === 'stale-lease' || reason === 'already-settled') return false
  if (reason === 'no-such-topic') return true
  const remark = `the commit was refused: ${reason}`
  throw new ClientError('REJECTED', { request: 'commit', code: reason, remark })
}

/** The message as its producer made it, for another topic, with more properties. */
export function copyFor(
  topic: string,
  { body, key, keys, properties: all, tags }: ReceivedMessage,
  more: Readonly<Record<string, string>>,
): OutgoingMessage {
  const properties: Record<string, string> = {}
  for (const [name, value] of Object.entries(all)) {
    if (!isSystemProperty(name)) properties[name] = value
  }
  return {
    topic,
    body,
    properties: { ...properties, ...more },
    ...(key === undefined ? {} : { shardingKey: key }),
    ...(tags === undefined ? {} : { tags }),
    ...(keys.length === 0 ? {} : { keys }),
  }
}
