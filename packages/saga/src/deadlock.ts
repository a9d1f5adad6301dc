/**
 * Sagas that wait for each other's locks. Whoever waits for a lock and keeps others waiting sends a
 * probe to the one that has it; each that waits in turn passes it on; and one that gets its own
 * probe back waits in a ring, and is compensated. In a ring only one asker's probe goes all the way
 * around: each passes on its own instead of one that is before it. No clock is asked.
 */
import { compensate, isPastTurning } from './backward.js'
import { stepOf } from './definition.js'
import { ask, type InputOf, type Turn } from './turn.js'

/** A probe that went through so many sagas has left its asker's ring, and goes around another. */
const RING_MAX = 32

export function onBlocking(turn: Turn, { probe }: InputOf<'blocking'>): void {
  const { definition, sagaId, draft } = turn
  const { asked, ring } = probe
  if (draft.state.phase !== 'running' || ring.length > RING_MAX) return
  const asker = `${asked.replyTo}/${asked.sagaId}`
  const own = `${definition.inbox.name}/${sagaId}`
  for (const [name, state] of draft.state.steps.entries()) {
    const step = stepOf(definition, name)
    if (step === undefined || state.status !== 'started') continue
    const { attempt } = state
    if (step.action.kind === 'child') ask(turn, { kind: 'probe', step, name, attempt, probe })
    if (step.action.kind !== 'lock') continue
    if (asker !== own) {
      const passed = asker < own ? undefined : probe
      ask(turn, { kind: 'probe', step, name, attempt, probe: passed })
    } else if (asked.step === name && asked.attempt === attempt && !isPastTurning(turn))
      return compensate(turn, {
        type: 'Cancelled',
        data: { reason: { kind: 'deadlock', step: name, ring } },
      })
  }
}
