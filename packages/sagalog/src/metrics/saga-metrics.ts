/**
 * The sagas of a runtime as metrics of prom-client: what this instance did is a counter or a
 * histogram, how many sagas stand how over all instances is a gauge, counted from the log when it
 * is scraped. Names of sagas and steps are labels; ids are not.
 */
import type { SagaRuntime, StepMove } from '@sagalog/saga'
import type { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** What is used of the module `prom-client`. */
interface Library {
  readonly Counter: typeof Counter
  readonly Gauge: typeof Gauge
  readonly Histogram: typeof Histogram
}

export type SagaSource = Pick<SagaRuntime, 'onStep' | 'onEnded' | 'census' | 'counters'>

/** Upper bounds in seconds, from a step in this process to one that a service takes a day for. */
const STEP_BUCKETS = [0.001, 0.005, 0.025, 0.1, 0.5, 2, 10, 60, 600, 3_600, 86_400]
const OPEN_STEPS_MAX = 100_000
const SECONDS = 1_000

const endings: Partial<Record<StepMove['move'], string>> = {
  done: 'done',
  refused: 'refused',
  doubt: 'doubt',
  undone: 'undone',
}

/** How long steps took from their first start to their end, as far as both were seen here. */
function stepTimes(observe: (move: StepMove, outcome: string, seconds: number) => void) {
  const begun = new Map<string, number>()
  return (move: StepMove): void => {
    const isUndo = move.move === 'undo-started' || move.move === 'undone'
    const key = `${move.saga}/${move.sagaId}/${isUndo ? 'undo/' : ''}${move.step}`
    const isBegin = move.move === 'started' || move.move === 'undo-started'
    if (isBegin && begun.size < OPEN_STEPS_MAX && !begun.has(key)) begun.set(key, move.atMs)
    const outcome = endings[move.move]
    const fromMs = begun.get(key)
    if (outcome === undefined || fromMs === undefined) return
    begun.delete(key)
    observe(move, outcome, (move.atMs - fromMs) / SECONDS)
  }
}

/** One series for all items of a loop. */
const stepName = (step: string): string => step.split('#', 1)[0] ?? step

/**
 * Registers the metrics of a runtime's sagas; call it before the runtime starts. The first scrape
 * reads how the sagas stand from the log's beginning, each later one what was stored since. Throws,
 * as prom-client does, when the registry has a metric of such a name.
 */
export function exportSagaMetrics(library: Library, registry: Registry, runtime: SagaSource): void {
  const registers = [registry]
  const steps = new library.Histogram({
    name: 'sagalog_saga_step_seconds',
    help: 'From the first start of a step or of its undo to its end, as far as seen here.',
    labelNames: ['saga', 'step', 'outcome'],
    buckets: STEP_BUCKETS,
    registers,
  })
  const failures = new library.Counter({
    name: 'sagalog_saga_attempts_failed_total',
    help: 'Attempts of local steps and of their undos that threw.',
    labelNames: ['saga', 'step'],
    registers,
  })
  const ended = new library.Counter({
    name: 'sagalog_sagas_ended_total',
    help: 'Sagas that came to their end here.',
    labelNames: ['saga', 'outcome'],
    registers,
  })
  const times = stepTimes(({ saga, step }, outcome, seconds) =>
    steps.observe({ saga, step: stepName(step), outcome }, seconds),
  )
  runtime.onStep((move) => {
    times(move)
    if (move.move === 'failed') failures.inc({ saga: move.saga, step: stepName(move.step) })
  })
  runtime.onEnded(({ saga, outcome }) => ended.inc({ saga, outcome }))
  registry.registerMetric(startedCounter(library, runtime))
  registry.registerMetric(standingGauge(library, runtime))
}

function startedCounter(library: Library, runtime: SagaSource): Counter {
  return new library.Counter({
    name: 'sagalog_sagas_started_total',
    help: 'Sagas that began here.',
    registers: [],
    collect() {
      this.reset()
      this.inc(runtime.counters.started)
    },
  })
}

function standingGauge(library: Library, runtime: SagaSource): Gauge<'saga' | 'state'> {
  return new library.Gauge({
    name: 'sagalog_sagas',
    help: 'Sagas that have not ended, over all instances; parked ones wait for a person.',
    labelNames: ['saga', 'state'],
    registers: [],
    async collect() {
      const all = await runtime.census()
      this.reset()
      for (const { saga, ...counts } of all)
        for (const [state, count] of Object.entries(counts)) this.set({ saga, state }, count)
    },
  })
}
