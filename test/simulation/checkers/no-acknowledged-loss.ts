/**
 * What was acknowledged is there, once, at the queue and offset that the acknowledgement named;
 * what failed as 'unchanged' is not there; offsets of a queue are dense. Pure.
 */
import { type Checker, ECHO_TOPIC, isMoved, messageIdOf, type StoredMessage } from '../history.js'

export const noAcknowledgedLoss: Checker = {
  promise: 'no-acknowledged-loss',
  check({ events }, { messages }) {
    const violations: string[] = []
    const stored = new Map<string, StoredMessage[]>()
    const next = new Map<string, number>()
    for (const message of messages) {
      if (message.topic !== ECHO_TOPIC && !isMoved(message))
        stored.set(message.id, [...(stored.get(message.id) ?? []), message])
      const queue = `${message.topic}/${message.queueId}`
      const expected = next.get(queue) ?? 0
      if (message.offset !== expected)
        violations.push(`${queue} goes from offset ${expected - 1} to ${message.offset}`)
      next.set(queue, message.offset + 1)
    }
    for (const event of events) {
      if (event.kind !== 'acknowledged' && event.kind !== 'send-failed') continue
      const id = messageIdOf(event)
      const found = stored.get(id) ?? []
      if (event.kind === 'send-failed') {
        if (event.state === 'unchanged' && found.length > 0)
          violations.push(`${id} was refused as not stored, yet it is stored`)
        continue
      }
      const place = `${event.topic}/${event.queueId}@${event.offset}`
      const isThere = found.some(
        (message) => `${message.topic}/${message.queueId}@${message.offset}` === place,
      )
      if (!isThere) violations.push(`${id} was acknowledged at ${place} and is not there`)
    }
    for (const [id, found] of stored)
      if (found.length > 1)
        violations.push(`${id} was sent once and is stored ${found.length} times`)
    return violations
  },
}
