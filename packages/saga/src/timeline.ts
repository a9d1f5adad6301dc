/** One saga's history for people: each attempt, its cause and how long it took. */
import type { EventPosition, RecordedEvent } from '@sagalog/event-store'
import type { EndReason, SagaEvent } from './saga-events.js'

export interface TimelineLine {
  readonly version: number
  /** Its place in the global order. */
  readonly position: EventPosition
  /** Milliseconds since the first line. */
  readonly sinceStartMs: number
  readonly what: string
  /** Why, or with what result, as short JSON or a sentence. */
  readonly cause: string
  /** Of the attempt that this line ends, milliseconds. */
  readonly tookMs: number | undefined
}

const TEXT_CHARS_MAX = 120

function short(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX - 1)}…` : text
}

/** Why a saga was compensated, in one line. */
export function reasonText(reason: EndReason): string {
  switch (reason.kind) {
    case 'refused':
      return `${reason.step} was refused: ${short(reason.refusal)}`
    case 'timeout':
      return `${reason.step} gave no answer in time`
    case 'exhausted':
      return `${reason.step} failed: ${reason.message}`
    case 'deadlock':
      return `${reason.step} would never come, they wait for each other: ${reason.ring.join('; ')}`
    case 'deadline':
      return 'its deadline has passed'
    default:
      return reason.message
  }
}

type Words = readonly [what: string, cause: string]

/** Events about the whole saga. */
function wholeWords(event: SagaEvent): Words {
  const { data, type } = event
  if (type === 'Started') return [`started, version ${data.version}`, short(data.input)]
  if (type === 'Migrated') return [`carried over to version ${data.version}`, '']
  if (type === 'SignalReceived') return [`signal ${data.signal}`, short(data.value)]
  if (type === 'Cancelled') return ['compensated from outside', reasonText(data.reason)]
  if (type === 'Compensated') return ['COMPENSATED', reasonText(data.reason)]
  if (type === 'Completed') return ['COMPLETED', '']
  if (type === 'Revoked') return ['taken back by its parent', '']
  if (type === 'Parked')
    return [
      data.message === undefined ? 'WAITS FOR A PERSON' : 'waits, a message is kept',
      data.reason,
    ]
  if (type === 'Resumed') return [`resumed by ${data.by}`, '']
  return [type, '']
}

function wordsOf(event: SagaEvent): Words {
  if (!('step' in event.data)) return wholeWords(event)
  const { step } = event.data
  switch (event.type) {
    case 'StepQueued':
      return [`${step} waits for its limit`, '']
    case 'StepStarted':
      return [`${step} begins`, '']
    case 'StepResent':
      return [`${step} again, attempt ${event.data.attempt}`, '']
    case 'StepSkipped':
      return [`${step} skipped`, '']
    case 'LoopStarted':
      return [`${step} for ${event.data.count} items`, '']
    case 'StepFailed':
    case 'UndoFailed': {
      const what = event.type === 'StepFailed' ? step : `undo of ${step}`
      return [`${what} failed, attempt ${event.data.attempt}`, event.data.message]
    }
    case 'StepDone':
      return [`${step} done`, short(event.data.result)]
    case 'StepRefused':
      return [`${step} refused`, short(event.data.refusal)]
    case 'StepTimedOut':
      return [`${step} in doubt`, 'no answer in time']
    case 'StepExhausted':
      return [`${step} in doubt`, event.data.message]
    case 'UndoStarted':
      return [`undo of ${step} begins`, '']
    case 'UndoResent':
      return [`undo of ${step} again, attempt ${event.data.attempt}`, '']
    case 'UndoDone':
      return [`${step} undone`, '']
    case 'UndoSkipped':
      return [`${step} stays`, event.data.why]
    default:
      return [event.type, '']
  }
}

const begins = ['StepStarted', 'StepResent', 'UndoStarted', 'UndoResent']

/** A line for each event, in order. */
export function timelineOf(history: readonly RecordedEvent<SagaEvent>[]): readonly TimelineLine[] {
  const startMs = history[0]?.storedAtMs ?? 0
  const begun = new Map<string, number>()
  return history.map(({ event, version, position, storedAtMs }) => {
    const [what, cause] = wordsOf(event)
    const step = 'step' in event.data ? event.data.step : undefined
    const fromMs = step === undefined ? undefined : begun.get(step)
    const isBegin = begins.includes(event.type)
    if (step !== undefined && isBegin) begun.set(step, storedAtMs)
    const tookMs = isBegin || fromMs === undefined ? undefined : storedAtMs - fromMs
    return { version, position, sinceStartMs: storedAtMs - startMs, what, cause, tookMs }
  })
}
