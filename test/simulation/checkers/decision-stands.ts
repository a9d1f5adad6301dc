/**
 * Whoever confirms a half message, the first time or late, once more or the other way round, is
 * told the one decision that the log holds, and never that there is none. Pure.
 */
import type { Checker } from '../history.js'

export const decisionStands: Checker = {
  promise: 'decision-stands',
  check({ events }, { fates, halves }) {
    const violations: string[] = []
    const ids = new Map(halves.map(({ id, position }) => [position, id]))
    const stands = new Map<string, string>()
    for (const fate of fates) {
      if (!('outcome' in fate)) continue
      const id = ids.get(fate.half) ?? 'nobody'
      const before = stands.get(id) ?? fate.outcome
      stands.set(id, before)
      if (before !== fate.outcome) violations.push(`${id}: ${before} became ${fate.outcome}`)
    }
    for (const event of events) {
      if (event.kind !== 'confirmed') continue
      const decision = stands.get(event.id) ?? 'none'
      if (event.told !== decision)
        violations.push(`${event.id}: told ${event.told} at ${event.atMs} ms, it is ${decision}`)
    }
    return violations
  },
}
