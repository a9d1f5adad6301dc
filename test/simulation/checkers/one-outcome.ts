/**
 * Each half message is decided once, as somebody had asked for, or is parked after exactly the
 * checks that are allowed; a decided one is never open again. Pure.
 */
import type { Checker, History, LogContents, Outcome } from '../history.js'

/** `checksMax`: after so many checks an undecided half is parked. */
export const oneOutcome = (checksMax: number): Checker => ({
  promise: 'one-outcome',
  check(history, contents) {
    return [...fatesOf(contents, checksMax), ...asAsked(history, contents)]
  },
})

interface Fate {
  checks: number
  isParked: boolean
  outcome: Outcome | undefined
}

function* fatesOf({ fates, halves }: LogContents, checksMax: number): Iterable<string> {
  const known = new Map<number, Fate & { id: string }>()
  for (const { id, position } of halves)
    known.set(position, { id, checks: 0, isParked: false, outcome: undefined })
  for (const fate of fates) {
    const half = known.get(fate.half)
    if (half === undefined) {
      yield `something is said at ${fate.position} of a half at ${fate.half}, where none is`
      continue
    }
    const { id } = half
    if ('outcome' in fate) {
      const isSame = half.outcome === fate.outcome
      if (half.outcome !== undefined && !(fate.isRestating && isSame))
        yield `${id} was decided as ${half.outcome} and again as ${fate.outcome}`
      half.outcome ??= fate.outcome
      continue
    }
    if (half.outcome !== undefined) yield `${id} is open again after its ${half.outcome}`
    if (fate.checks < half.checks)
      yield `${id} was checked ${half.checks} times, then ${fate.checks}`
    if (fate.checks > checksMax) yield `${id} was checked ${fate.checks} times of ${checksMax}`
    if (fate.isParked && fate.checks !== checksMax)
      yield `${id} was parked after ${fate.checks} checks of ${checksMax}`
    half.checks = fate.checks
    half.isParked = fate.isParked
  }
  for (const { id, isParked, outcome } of known.values())
    if (outcome === undefined && !isParked) yield `${id} is neither decided nor parked`
}

function* asAsked({ events }: History, { fates, halves }: LogContents): Iterable<string> {
  const ids = new Map(halves.map(({ id, position }) => [position, id]))
  const asked = new Set<string>()
  for (const event of events)
    if (event.kind === 'decision-asked') asked.add(`${event.id} ${event.decision}`)
  for (const fate of fates) {
    if (!('outcome' in fate)) continue
    const id = ids.get(fate.half) ?? 'nobody'
    if (!asked.has(`${id} ${fate.outcome}`)) yield `nobody asked for the ${fate.outcome} of ${id}`
  }
}
