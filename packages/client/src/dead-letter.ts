/**
 * Dead letters: a message that can not be handled goes on, as it was, to the group's dead-letter
 * topic, with a reason that a person can read, in the commit that settles it.
 */
import { deadLetterTopic, MessageConst } from '@sagalog/protocol'
import type { Connection } from './connection.js'
import type { Delivery } from './delivery.js'
import { commitMove, copyFor } from './moved-message.js'
import type { ReceivedMessage } from './received.js'

/** The property that says why a message is a dead letter. */
export const DEAD_LETTER_REASON = 'sagalog.reason'

const REASON_CHARS_MAX = 1_000

export interface DeadMessage {
  readonly delivery: Delivery
  readonly message: ReceivedMessage
  readonly reason: string
  /** How often it was tried; 0 for one that can't be read. */
  readonly attempts: number
}

/**
 * Settles the message and stores its dead letter in one commit. Resolves as well when the lease has
 * ended: the queue's next holder decides then. Rejects with ClientError, to be tried again.
 */
export async function commitDeadLetter(connection: Connection, dead: DeadMessage): Promise<void> {
  const { attempts, delivery, message, reason } = dead
  // Control characters would end the property early.
  const text = reason.replaceAll(/\p{Cc}+/gu, ' ').slice(0, REASON_CHARS_MAX)
  const letter = copyFor(deadLetterTopic(delivery.group), message, {
    [MessageConst.PROPERTY_DLQ_ORIGIN_TOPIC]: message.topic,
    [MessageConst.PROPERTY_DLQ_ORIGIN_MESSAGE_ID]: message.id,
    [MessageConst.PROPERTY_RECONSUME_TIME]: String(attempts),
    [DEAD_LETTER_REASON]: text === '' ? 'no reason' : text,
  })
  await commitMove(connection, { delivery, message: letter, delayMs: 0 })
}
