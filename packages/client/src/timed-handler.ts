/** A handler that also tells how long each of its runs took; it does what it does as before. */
import type { Clock } from '@sagalog/kernel'
import type { Handler } from './listener.js'
import { finish } from './task-either.js'

/** One run of a handler; its commit comes after it. */
export interface HandlerRun {
  readonly group: string
  readonly topic: string
  readonly outcome: 'handled' | 'failed'
  readonly ms: number
}

export type OnHandled = (run: HandlerRun) => void

export function timedHandler<A>(
  handler: Handler<A>,
  {
    clock,
    group,
    onHandled,
    topic,
  }: {
    readonly clock: Clock
    readonly group: string
    readonly topic: string
    readonly onHandled: OnHandled
  },
): Handler<A> {
  return async (message, tx, context) => {
    const beganMs = clock.monotonicMs()
    let outcome: HandlerRun['outcome'] = 'failed'
    try {
      await finish(handler(message, tx, context))
      outcome = 'handled'
    } finally {
      onHandled({ group, topic, outcome, ms: clock.monotonicMs() - beganMs })
    }
  }
}
