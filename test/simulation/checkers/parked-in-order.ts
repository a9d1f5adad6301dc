/**
 * Whatever of a key was parked and released in between: the effects of its messages are those of
 * its queue, each once and in its order. A key's effects are in a stream of its own name. Pure.
 */
import { type Checker, ECHO_TOPIC, isMoved } from '../history.js'

export const parkedInOrder: Checker = {
  promise: 'parked-in-order',
  check(_history, { effects, messages }) {
    const violations: string[] = []
    const sent = new Map<string, string[]>()
    for (const message of messages) {
      if (message.topic === ECHO_TOPIC) continue
      if (isMoved(message)) violations.push(`${message.id} went to ${message.topic}`)
      else sent.set(message.key, [...(sent.get(message.key) ?? []), message.id])
    }
    const handled = new Map<string, string[]>()
    for (const { message, stream } of effects)
      handled.set(stream, [...(handled.get(stream) ?? []), message])
    for (const key of new Set([...sent.keys(), ...handled.keys()])) {
      const wanted = sent.get(key) ?? []
      const found = handled.get(key) ?? []
      const at = wanted.findIndex((id, index) => found[index] !== id)
      if (at >= 0)
        violations.push(`${key}: ${found[at] ?? 'nothing'} came where ${wanted[at]} was next`)
      if (found.length > wanted.length)
        violations.push(`${key}: ${found.length} effects of ${wanted.length} messages`)
    }
    return violations
  },
}
