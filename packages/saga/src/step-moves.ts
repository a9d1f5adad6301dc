/** What happens to the steps of running sagas, as one hears of it once it is durable. */
import { unreachable } from '@sagalog/kernel'
import type { SagaEvent } from './saga-events.js'

export interface StepMove {
  readonly saga: string
  readonly sagaId: string
  readonly step: string
  readonly move: 'started' | 'failed' | 'done' | 'refused' | 'doubt' | 'undo-started' | 'undone'
  /** What a failed attempt said, or why it is in doubt. */
  readonly message: string | undefined
  /** Milliseconds since 1970, when this instance knew that it was durable. */
  readonly atMs: number
}

type Move = Pick<StepMove, 'step' | 'move' | 'message'>

/** What an event says about a step; nothing for those that are about the whole saga. */
export function movesOf(event: SagaEvent): readonly Move[] {
  const one = (move: StepMove['move'], message?: string): readonly Move[] =>
    'step' in event.data ? [{ step: event.data.step, move, message }] : []
  switch (event.type) {
    case 'StepStarted':
    case 'StepResent':
      return one('started')
    case 'StepFailed':
    case 'UndoFailed':
      return one('failed', event.data.message)
    case 'StepDone':
      return one('done')
    case 'StepRefused':
      return one('refused')
    case 'StepTimedOut':
      return one('doubt', 'its time was up')
    case 'StepExhausted':
      return one('doubt', event.data.message)
    case 'UndoStarted':
    case 'UndoResent':
      return one('undo-started')
    case 'UndoDone':
    case 'UndoSkipped':
      return one('undone')
    case 'Started':
    case 'Migrated':
    case 'StepQueued':
    case 'StepSkipped':
    case 'LoopStarted':
    case 'SignalReceived':
    case 'Cancelled':
    case 'Completed':
    case 'Compensated':
    case 'Revoked':
    case 'Parked':
    case 'Resumed':
      return []
    default:
      return unreachable(event)
  }
}
