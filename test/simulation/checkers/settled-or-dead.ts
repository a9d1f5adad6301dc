/**
 * No message leaves its group but by an acknowledgement, which is one effect, or as one dead
 * letter; never both, never neither. What nobody can read, and what fails at its last try, is dead.
 * Pure.
 */
import type { Failing } from '../failing.js'
import { type Checker, isMoved } from '../history.js'

export const settledOrDead = ({ attemptsMax, isReadable, triesNeeded }: Failing): Checker => ({
  promise: 'settled-or-dead',
  check(_history, { effects, messages }) {
    const violations: string[] = []
    const taken = countOf(effects.map(({ message }) => message))
    const letters = messages.filter(({ topic }) => topic.startsWith('%DLQ%'))
    const dead = countOf(letters.map(({ id }) => id))
    const sources = new Set(messages.filter((one) => !isMoved(one)).map(({ id }) => id))
    for (const id of sources) {
      const count = { effects: taken.get(id) ?? 0, letters: dead.get(id) ?? 0 }
      if (count.effects + count.letters !== 1)
        violations.push(`${id} has ${count.effects} effects and ${count.letters} dead letters`)
      const mustDie = !isReadable(id) || triesNeeded(id) > attemptsMax
      if (mustDie && count.effects > 0) violations.push(`${id} can't be handled, and was`)
    }
    for (const id of [...taken.keys(), ...dead.keys()])
      if (!sources.has(id)) violations.push(`${id} came from nowhere`)
    return violations
  },
})

function countOf(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1)
  return counts
}
