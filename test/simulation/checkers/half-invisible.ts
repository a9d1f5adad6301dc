/**
 * A transactional message is seen by nobody before its commit and never after its rollback, and
 * once when it was committed: its message stands in the log beside the decision. Pure.
 */
import type { Checker, History, LogContents, Outcome } from '../history.js'

export const halfInvisible: Checker = {
  promise: 'half-invisible',
  check(history, contents) {
    const outcomes = outcomesOf(contents)
    return [
      ...oneMessageEach(history, contents, outcomes),
      ...seenAfterTheCommit(history, outcomes),
    ]
  },
}

interface Decided {
  readonly outcome: Outcome
  readonly position: number
}

/** By id: the first decision, which is the one that stands. */
function outcomesOf({ fates, halves }: LogContents): Map<string, Decided> {
  const ids = new Map(halves.map(({ id, position }) => [position, id]))
  const outcomes = new Map<string, Decided>()
  for (const fate of fates) {
    const id = ids.get(fate.half)
    if (id === undefined || !('outcome' in fate) || outcomes.has(id)) continue
    outcomes.set(id, fate)
  }
  return outcomes
}

const transactionsOf = ({ events }: History): Set<string> =>
  new Set(events.flatMap((event) => (event.kind === 'transaction' ? [event.id] : [])))

function* oneMessageEach(
  history: History,
  { messages }: LogContents,
  outcomes: ReadonlyMap<string, Decided>,
): Iterable<string> {
  const ids = transactionsOf(history)
  const counts = new Map<string, number>()
  for (const { id, position, topic } of messages) {
    if (!ids.has(id) || topic.startsWith('echo')) continue
    counts.set(id, (counts.get(id) ?? 0) + 1)
    const decided = outcomes.get(id)
    if (decided?.outcome !== 'commit')
      yield `${id} is in its queue and was ${decided === undefined ? 'not decided' : 'rolled back'}`
    else if (position > decided.position)
      yield `${id} stands at ${position}, behind its decision at ${decided.position}`
  }
  for (const [id, { outcome }] of outcomes) {
    const wanted = outcome === 'commit' ? 1 : 0
    const count = counts.get(id) ?? 0
    if (count !== wanted) yield `${id} was decided as ${outcome} and is in its queue ${count} times`
  }
}

/** Nobody can be handed what nobody had asked to commit. */
function* seenAfterTheCommit(
  history: History,
  outcomes: ReadonlyMap<string, Decided>,
): Iterable<string> {
  const ids = transactionsOf(history)
  const asked = new Set<string>()
  for (const event of history.events) {
    if (event.kind === 'decision-asked' && event.decision === 'commit') asked.add(event.id)
    if (event.kind !== 'handling' || !ids.has(event.message)) continue
    const id = event.message
    if (!asked.has(id)) yield `${id} was delivered at ${event.atMs} ms, before its commit`
    else if (outcomes.get(id)?.outcome !== 'commit')
      yield `${id} was delivered at ${event.atMs} ms and is not committed`
  }
}
