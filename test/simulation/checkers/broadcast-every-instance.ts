/**
 * Every instance of a broadcasting group has each message, in the order of its queue, once,
 * whatever happened to the instance in between. An instance's effects are in a stream of its own
 * name. Pure.
 */
import type { Checker, StoredMessage } from '../history.js'

export const broadcastEveryInstance: Checker = {
  promise: 'broadcast-every-instance',
  check(history, { effects, messages }) {
    const violations: string[] = []
    const instances = new Set<string>()
    for (const event of history.events) if (event.kind === 'joined') instances.add(event.instance)
    const byId = new Map<string, StoredMessage>()
    for (const message of messages) byId.set(message.id, message)
    for (const instance of [...instances].sort()) {
      const next = new Map<string, number>()
      for (const { message, stream } of effects) {
        if (stream !== instance) continue
        const source = byId.get(message)
        if (source === undefined) {
          violations.push(`${instance} has an effect of no stored message: ${message}`)
          continue
        }
        const queue = `${source.topic}/${source.queueId}`
        const expected = next.get(queue) ?? 0
        if (source.offset !== expected)
          violations.push(`${instance} took ${queue}@${source.offset} where ${expected} was next`)
        next.set(queue, source.offset + 1)
      }
      for (const { offset, queueId, topic } of messages) {
        const queue = `${topic}/${queueId}`
        if (offset >= (next.get(queue) ?? 0))
          violations.push(`${instance} never took ${queue}@${offset}`)
      }
    }
    return violations
  },
}
