/**
 * Each message of a clustering group has its effect exactly once, and what its handler sent is
 * there exactly once as well. Pure.
 */
import { type Checker, ECHO_TOPIC } from '../history.js'

export const effectsOnce: Checker = {
  promise: 'effects-once',
  check(_history, { effects, messages }) {
    const violations: string[] = []
    const appended = countOf(effects.map(({ message }) => message))
    const echoed = countOf(messages.filter(({ topic }) => topic === ECHO_TOPIC).map(({ id }) => id))
    const sources = messages.filter(({ topic }) => topic !== ECHO_TOPIC)
    for (const { id, offset, queueId, topic } of sources) {
      const place = `${topic}/${queueId}@${offset}`
      const count = appended.get(id) ?? 0
      if (count !== 1) violations.push(`${id} at ${place} has ${count} effects`)
      const echoes = echoed.get(id) ?? 0
      if (echoes !== 1) violations.push(`${id} at ${place} was sent on ${echoes} times`)
    }
    const known = new Set(sources.map(({ id }) => id))
    for (const { message, stream, version } of effects)
      if (!known.has(message))
        violations.push(`${stream} ${version} is of no stored message: ${message}`)
    return violations
  },
}

function countOf(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}
