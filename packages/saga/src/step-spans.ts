/**
 * A span for each step of each saga, of what a runtime tells about steps. Spans follow
 * OpenTelemetry's conventions; its tracer fits, and nothing of it is needed here.
 */
import { createHash } from 'node:crypto'
import type { StepMove } from './step-moves.js'

/** As much of `Span` and `Tracer` of @opentelemetry/api as is used. */
export interface SpanLike {
  setStatus(status: { code: number; message?: string }): unknown
  addEvent?(name: string, attributes: Record<string, string>, time: number): unknown
  end(endTime?: number): void
}
export interface TracerLike<Context> {
  startSpan(
    name: string,
    options?: { startTime?: number; attributes?: Record<string, string> },
    context?: Context,
  ): SpanLike
}

/**
 * The trace of one saga, in the form of a SpanContext: the same in every instance, so that all its
 * steps stand in one trace. `trace.setSpanContext(ROOT_CONTEXT, sagaTrace(move))` is a parent.
 */
export function sagaTrace({ saga, sagaId }: Pick<StepMove, 'saga' | 'sagaId'>): {
  readonly traceId: string
  readonly spanId: string
  readonly traceFlags: 1
  readonly isRemote: true
} {
  const digits = createHash('sha256').update(`${saga}/${sagaId}`).digest('hex')
  const [traceId, spanId] = [digits.slice(0, 32), digits.slice(32, 48)]
  return { traceId, spanId, traceFlags: 1, isRemote: true }
}

export interface SpanOptions<Context> {
  /** The context of a step's span; `sagaTrace` makes one trace of a saga. None unless told. */
  readonly parent?: (move: StepMove) => Context
}

/** SpanStatusCode.ERROR of @opentelemetry/api. */
const STATUS_ERROR = 2
const OPEN_SPANS_MAX = 10_000

/**
 * A listener for `onStep` that makes one span per step, `saga/step` or `saga/undo step`, from its
 * first start to its end; attempts that failed are its events. A step whose start another instance
 * saw has a span without length.
 */
export function stepSpans<Context>(
  tracer: TracerLike<Context>,
  { parent }: SpanOptions<Context> = {},
): (move: StepMove) => void {
  const open = new Map<string, SpanLike>()

  function begin(move: StepMove, isUndo: boolean): SpanLike {
    const { saga, sagaId, step, atMs } = move
    const attributes = { 'saga.name': saga, 'saga.id': sagaId, 'saga.step': step }
    const name = `${saga}/${isUndo ? 'undo ' : ''}${step}`
    return tracer.startSpan(name, { startTime: atMs, attributes }, parent?.(move))
  }

  return (move) => {
    const runKey = `${move.saga}/${move.sagaId}/${move.step}`
    const undoKey = `${move.saga}/${move.sagaId}/undo/${move.step}`
    if (move.move === 'failed') {
      const failing = open.get(undoKey) ?? open.get(runKey)
      failing?.addEvent?.('attempt failed', { message: move.message ?? '' }, move.atMs)
      return
    }
    const isUndo = move.move === 'undo-started' || move.move === 'undone'
    const key = isUndo ? undoKey : runKey
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
