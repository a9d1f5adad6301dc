/**
 * Dead letters: a message that can not be handled goes on, as it was, to the group's dead-letter
 * topic, with a reason that a person can read, in the commit that settles it.
 */
import type { OutgoingMessage } from '@sagalog/kernel'
import { deadLetterTopic, MessageConst } from '@sagalog/protocol'
import type { Connection } from './connection.js'
import type { Delivery } from './delivery.js'
import { ClientError } from './errors.js'
import { isSystemProperty } from './outgoing-message.js'
import type { ReceivedMessage } from './received.js'
import { ensureTopic } from './topic.js'
import { openTx, type OpenTx, type TxEnd } from './tx.js'

/** The property that says why a message is a dead letter. */
export const DEAD_LETTER_REASON = 'sagalog.reason'

const REASON_CHARS_MAX = 1_000

export interface DeadMessage {
  readonly delivery: Delivery
  readonly message: ReceivedMessage
  readonly reason: string
}

/**
 * Settles the message and stores its dead letter in one commit. Resolves as well when the lease has
 * ended: the queue's next holder decides then. Rejects with ClientError, to be tried again.
 */
export async function commitDeadLetter(connection: Connection, dead: DeadMessage): Promise<void> {
  const letter = deadLetter(dead.message, dead.delivery.group, dead.reason)
  for (;;) {
    const tx = openTx(connection)
    tx.ack(dead.delivery)
    tx.forward(letter)
    const missing = await commitUnlessMissing(tx)
    if (!missing) return
    await ensureTopic(connection, letter.topic, { queues: 1 })
  }
}

/** True when the dead-letter topic has to be made first. */
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

function deadLetter(message: ReceivedMessage, group: string, reason: string): OutgoingMessage {
  const properties: Record<string, string> = {}
  for (const [name, value] of Object.entries(message.properties)) {
    if (!isSystemProperty(name)) properties[name] = value
  }
  properties[MessageConst.PROPERTY_DLQ_ORIGIN_TOPIC] = message.topic
  properties[MessageConst.PROPERTY_DLQ_ORIGIN_MESSAGE_ID] = message.id
  // Control characters would end the property early.
  const text = reason.replaceAll(/\p{Cc}+/gu, ' ').slice(0, REASON_CHARS_MAX)
  properties[DEAD_LETTER_REASON] = text === '' ? 'no reason' : text
  const { body, key, keys, tags } = message
  return {
    topic: deadLetterTopic(group),
    body,
    properties,
    ...(key === undefined ? {} : { shardingKey: key }),
    ...(tags === undefined ? {} : { tags }),
    ...(keys.length === 0 ? {} : { keys }),
  }
}
