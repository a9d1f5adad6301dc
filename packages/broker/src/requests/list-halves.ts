/** LIST_HALVES: the half messages that are not decided, with their messages. */
import type { HalfSummary, ListHalvesRequest } from '@sagalog/protocol'
import { admitNumbers, COUNT } from '../admit.js'
import type { Call, Core } from '../core.js'
import { LIST_HALVES_BYTES_MAX, LIST_HALVES_MAX } from '../limits.js'
import { stillHalf } from '../messages.js'
import type { HalfFact } from '../records/facts.js'

export function listHalves(call: Call, request: ListHalvesRequest): void {
  const { after, maxHalves } = request
  const problem = admitNumbers({ after, maxHalves }, COUNT)
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  const waiting = [...call.core.state.halves.all()]
    .filter(({ half, isParked }) => half > after && (isParked || !request.parkedOnly))
    .sort((left, right) => left.half - right.half)
  page(call.core, waiting.slice(0, Math.min(maxHalves, LIST_HALVES_MAX))).then(
    (halves) => {
      const answer = { halves, hasMore: halves.length < waiting.length }
      // Reading takes turns; the answer takes its place among those of other requests.
      call.sequence(() => ({ drafts: [], applied: (end) => call.answer(answer, end) }))
    },
    (error: unknown) => call.fail(error),
  )
}

/** As many as one answer takes; at least one, when there is one. */
async function page(core: Core, facts: readonly HalfFact[]): Promise<HalfSummary[]> {
  const halves: HalfSummary[] = []
  let bytes = 0
  for (const { half, topic: _, ...fact } of facts) {
    const record = core.log.peek(half) ?? (await core.log.read(half))
    const message = stillHalf(record)
    bytes += message.length
    if (halves.length > 0 && bytes > LIST_HALVES_BYTES_MAX) break
    halves.push({ ...fact, position: half, message })
  }
  return halves
}
