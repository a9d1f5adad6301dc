/**
 * What happens to the steps of running sagas, as one hears of it once it is durable, and spans made
 * of it. Traces follow OpenTelemetry's conventions; any tracer with its two methods will do.
 */
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

/** As much of `Span` and `Tracer` of @opentelemetry/api as is used; the tracer of it fits. */
export interface SpanLike {
  setStatus(status: { code: number; message?: string }): unknown
  end(endTime?: number): void
}
export interface TracerLike {
  startSpan(
    name: string,
    options?: { startTime?: number; attributes?: Record<string, string> },
  ): SpanLike
}

/** SpanStatusCode.ERROR of @opentelemetry/api. */
const STATUS_ERROR = 2
const OPEN_SPANS_MAX = 10_000

/**
 * A listener for `onStep` that makes one span per step, `saga/step` or `saga/undo step`, from its
 * first start to its end. A step whose start another instance saw has a span without length.
 */
export function stepSpans(tracer: TracerLike): (move: StepMove) => void {
  const open = new Map<string, SpanLike>()

  function begin({ saga, sagaId, step, atMs }: StepMove, isUndo: boolean): SpanLike {
    const attributes = { 'saga.name': saga, 'saga.id': sagaId, 'saga.step': step }
    return tracer.startSpan(`${saga}/${isUndo ? 'undo ' : ''}${step}`, {
      startTime: atMs,
      attributes,
    })
  }

  return (move) => {
    const isUndo = move.move === 'undo-started' || move.move === 'undone'
    const key = `${move.saga}/${move.sagaId}/${isUndo ? 'undo/' : ''}${move.step}`
    if (move.move === 'failed') return
    if (move.move === 'started' || move.move === 'undo-started') {
      if (open.size < OPEN_SPANS_MAX && !open.has(key)) open.set(key, begin(move, isUndo))
      return
    }
    const span = open.get(key) ?? begin(move, isUndo)
    open.delete(key)
    if (move.move === 'refused' || move.move === 'doubt')
      span.setStatus({ code: STATUS_ERROR, message: move.message ?? move.move })
    span.end(move.atMs)
  }
}
