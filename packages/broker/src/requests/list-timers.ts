/** LIST_TIMERS: the messages that wait for their time, the next first. */
import type { ListTimersRequest, TimerSummary } from '@sagalog/protocol'
import { admitNumbers, COUNT } from '../admit.js'
import type { Call } from '../core.js'
import { LIST_TIMERS_MAX } from '../limits.js'
import type { TimerFact } from '../records/facts.js'
import { isOwnTimer } from '../records/timer-record.js'

export function listTimers(call: Call, request: ListTimersRequest): void {
  const { afterDueAtMs, afterPosition, maxTimers, topic } = request
  const problem = admitNumbers({ afterDueAtMs, afterPosition, maxTimers }, COUNT)
  if (problem !== undefined) {
    call.refuse(problem)
    return
  }
  const { log, state } = call.core
  const after = { dueAtMs: afterDueAtMs, position: afterPosition }
  const next = new NextTimers(Math.min(maxTimers, LIST_TIMERS_MAX))
  for (const timer of state.timers.all())
    if ((topic === '' || timer.topic === topic) && order(timer, after) > 0) next.offer(timer)
  const answer = { timers: next.timers.map(summaryOf), hasMore: next.hasMore }
  call.answer(answer, log.watermark('memory'))
}

type Due = Pick<TimerFact, 'dueAtMs' | 'position'>

const order = (left: Due, right: Due): number =>
  left.dueAtMs - right.dueAtMs || left.position - right.position

/** The earliest of many that come in any order: there may be millions, and few are wanted. */
class NextTimers {
  /** Ascending. */
  readonly timers: TimerFact[] = []
  hasMore = false
  private readonly max: number

  constructor(max: number) {
    this.max = max
  }

  offer(timer: TimerFact): void {
    const last = this.timers.at(-1)
    if (this.timers.length === this.max) {
      this.hasMore = true
      if (last === undefined || order(timer, last) > 0) return
      this.timers.pop()
    }
    let low = 0
    let high = this.timers.length
    while (low < high) {
      const middle = (low + high) >> 1
      const there = this.timers[middle]
      if (there !== undefined && order(there, timer) < 0) low = middle + 1
      else high = middle
    }
    this.timers.splice(low, 0, timer)
  }
}

function summaryOf({ dueAtMs, id, position, topic }: TimerFact): TimerSummary {
  return { ...(isOwnTimer(id) ? {} : { name: id }), topic, dueAtMs, position }
}
