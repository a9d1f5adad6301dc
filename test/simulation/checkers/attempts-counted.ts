/**
 * Each failed try of a message is counted once, whoever made it and whatever crashed in between: it
 * comes again as try 1, 2, 3 and so on, the handler is told that number, and it is dead after
 * the last one, not before. Pure.
 */
import type { Failing } from '../failing.js'
import { type Checker, type History, isMoved, type LogContents } from '../history.js'

export const attemptsCounted = (failing: Failing): Checker => ({
  promise: 'attempts-counted',
  check(history, contents) {
    return [...oneByOne(contents, failing), ...asTold(history, contents)]
  },
})

function* oneByOne(
  { messages }: LogContents,
  { attemptsMax, isReadable }: Failing,
): Iterable<string> {
  const counted = new Map<string, number>()
  for (const message of messages) {
    if (!isMoved(message)) continue
    const { id, topic, tries } = message
    const before = counted.get(id) ?? 0
    if (topic.startsWith('%DLQ%')) {
      const wanted = isReadable(id) ? attemptsMax : 0
      if (tries !== wanted) yield `${id} died after ${tries} tries of ${wanted}`
      if (before !== Math.max(0, wanted - 1)) yield `${id} died after ${before} retries`
      continue
    }
    if (tries !== before + 1) yield `${id} came again as try ${tries} after ${before}`
    if (tries >= attemptsMax) yield `${id} came again after ${tries} tries of ${attemptsMax}`
    counted.set(id, tries)
  }
}

function* asTold({ events }: History, { messages }: LogContents): Iterable<string> {
  const stored = new Map<string, number>()
  for (const { offset, queueId, topic, tries } of messages)
    stored.set(`${topic}/${queueId}@${offset}`, tries)
  for (const event of events) {
    if (event.kind !== 'handling') continue
    const place = `${event.topic}/${event.queueId}@${event.offset}`
    const wanted = (stored.get(place) ?? 0) + 1
    if (event.attempt !== wanted)
      yield `${event.message} at ${place} was handed over as try ${event.attempt}, not ${wanted}`
  }
}
