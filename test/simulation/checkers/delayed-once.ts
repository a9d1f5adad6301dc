/**
 * What was to come later comes once: it is not left behind, it does not come twice, and it does
 * not come behind its cancel. Pure.
 */
import type { Checker } from '../history.js'

export const delayedOnce: Checker = {
  promise: 'delayed-once',
  check({ events }, { messages, timers }) {
    const violations: string[] = []
    const came = new Map<string, number[]>()
    for (const { id, position, topic } of messages)
      if (!topic.startsWith('echo')) came.set(id, [...(came.get(id) ?? []), position])
    const wanted = new Set(timers.map(({ id }) => id))
    const mayNotCome = new Set<string>()
    for (const event of events) {
      if (event.kind === 'delay-acknowledged') wanted.add(event.id)
      if (event.kind === 'cancelling') mayNotCome.add(event.id)
      if (event.kind !== 'cancelled') continue
      for (const position of came.get(event.id) ?? [])
        if (position > event.position)
          violations.push(`${event.id} came at ${position}, cancelled at ${event.position}`)
    }
    for (const id of wanted) {
      const times = came.get(id)?.length ?? 0
      if (times > 1 || (times === 0 && !mayNotCome.has(id)))
        violations.push(`${id} came ${times} times`)
    }
    return violations
  },
}
