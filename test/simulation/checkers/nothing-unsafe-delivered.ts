/**
 * What a handler was given was durable by then, and is in the log that the run left at the place
 * where it was delivered: what a crash could still take back must not be seen by anybody. Pure.
 */
import type { Checker } from '../history.js'

export const nothingUnsafeDelivered: Checker = {
  promise: 'nothing-unsafe-delivered',
  check({ events }, { messages }) {
    const violations = new Set<string>()
    const stored = new Map<string, string>()
    for (const { id, offset, queueId, topic } of messages)
      stored.set(`${topic}/${queueId}@${offset}`, id)
    for (const event of events) {
      if (event.kind !== 'handling') continue
      const place = `${event.topic}/${event.queueId}@${event.offset}`
      if (!event.isSafe)
        violations.add(`${place} was delivered at ${event.atMs} ms, not durable yet`)
      const found = stored.get(place)
      if (found !== event.message)
        violations.add(`${place} was delivered as ${event.message} and holds ${found ?? 'nothing'}`)
    }
    return [...violations]
  },
}
