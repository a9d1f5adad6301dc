/** No reply left before what it depends on was safe, as the disk port saw it. Pure. */
import type { Checker } from '../history.js'

export const auditEarlyReplies: Checker = {
  promise: 'audit-early-replies',
  check({ events }) {
    const violations: string[] = []
    for (const event of events)
      if (event.kind === 'audit' && event.earlyReplies > 0)
        violations.push(`${event.earlyReplies} replies had left early at ${event.atMs} ms`)
    return violations
  },
}
