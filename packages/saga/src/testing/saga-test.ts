/**
 * One saga without a broker: what it does when steps are refused, throw or leave no answer. The
 * decisions and the local actions are the runtime's own; only what a service would answer is given.
 * Time does not pass: pauses and timeouts are over at once.
 */
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { decide } from '../decide.js'
import type { SagaDefinition, StepContext, StepDefinition } from '../definition.js'
import { evolve, hasEnded, type SagaState, sagaInitial } from '../evolve.js'
import { act, type Attempt } from '../local-action.js'
import { metaOf, type Sender } from '../outgoing.js'
import type { Saga } from '../saga-types.js'
import { contextOf, wholeContext } from '../step-context.js'
import type { Effect, SagaInput, StepEffect } from '../turn.js'

/** What a service or a child answers: a value, or a function of what the step may read. */
export type Fake = unknown

/** How a tested saga ended. */
export interface SagaTestEnd {
  /** `stock`, `auth`, `undo stock`: what was begun, in order; attempts after the first numbered. */
  readonly trace: readonly string[]
  readonly outcome: 'completed' | 'compensated' | 'parked' | 'waiting'
  /** Why it is parked, or what it waits for. */
  readonly why: string | undefined
  readonly state: SagaState
  /** The input and all results, by name. */
  readonly results: StepContext
}

/** A test that can still be told what goes wrong. Each method gives a new one. */
export interface SagaTest<Input> {
  input(input: Input): SagaTest<Input>
  /** The step is refused, with this refusal. */
  fail(step: string, refusal: unknown): SagaTest<Input>
  /** The first so many attempts of the step throw; nothing of them happens. */
  hiccup(step: string, times: number): SagaTest<Input>
  /** It happens, and nobody hears of it: its time is up. */
  lost(step: string): SagaTest<Input>
  /** The first so many attempts of its undo throw. */
  hiccupUndo(step: string, times: number): SagaTest<Input>
  /** What comes for a signal. */
  signal(name: string, value: unknown): SagaTest<Input>
  /** Cancelled when this step has begun. */
  cancelAt(step: string): SagaTest<Input>
  run(): Promise<SagaTestEnd>
  /** Rejects with a readable difference when the trace is another one. */
  expectTrace(trace: readonly string[]): Promise<SagaTestEnd>
  expectOutcome(outcome: SagaTestEnd['outcome']): Promise<SagaTestEnd>
}

interface Script {
  readonly fails: ReadonlyMap<string, unknown>
  readonly hiccups: ReadonlyMap<string, number>
  readonly lost: ReadonlySet<string>
  readonly undoHiccups: ReadonlyMap<string, number>
  readonly signals: ReadonlyMap<string, unknown>
  readonly cancelAt: string | undefined
}

const noScript: Script = {
  fails: new Map(),
  hiccups: new Map(),
  lost: new Set(),
  undoHiccups: new Map(),
  signals: new Map(),
  cancelAt: undefined,
}

const SAGA_ID = 'test'

class Run {
  readonly trace: string[] = []
  readonly #definition: SagaDefinition
  readonly #fakes: Readonly<Record<string, Fake>>
  readonly #script: Script
  readonly #inputs: SagaInput[] = []
  readonly #failures = new Map<string, number>()
  readonly #clock = simulatedTime(seededRandom(1)).nodeClock()
  #state: SagaState = sagaInitial

  constructor(definition: SagaDefinition, fakes: Readonly<Record<string, Fake>>, script: Script) {
    this.#definition = definition
    this.#fakes = fakes
    this.#script = script
  }

  async run(input: unknown): Promise<SagaTestEnd> {
    const encoded = this.#definition.input.encode(input)
    const start = { kind: 'start' as const, sagaId: SAGA_ID, input: encoded }
    this.#inputs.push({ ...start, lane: undefined, parent: undefined })
    for (let next = this.#inputs.shift(); next !== undefined; next = this.#inputs.shift()) {
      const decision = decide(this.#definition, this.#state, next, this.#clock.wallMs())
      this.#state = decision.events.reduce(evolve, this.#state)
      for (const effect of decision.effects) await this.#carryOut(effect)
    }
    return this.#end()
  }

  #end(): SagaTestEnd {
    const state = this.#state
    const waiting = state.steps.entries().filter(([, { status }]) => status === 'started')
    const isOver = hasEnded(state)
    const outcome = isOver
      ? (state.phase as 'completed' | 'compensated')
      : state.parked === undefined
        ? 'waiting'
        : 'parked'
    const forWhat = waiting.map(([name]) => name).join(', ')
    const why = outcome === 'waiting' ? `it waits for ${forWhat}` : state.parked
    const results = wholeContext(this.#definition, state)
    return { trace: this.trace, outcome, why, state, results }
  }

  async #carryOut(effect: Effect): Promise<void> {
    if (!('step' in effect)) return
    const { name } = effect
    if (effect.kind === 'acquire')
      this.#hear({ kind: 'granted', sagaId: SAGA_ID, step: name, attempt: effect.attempt })
    if (effect.kind !== 'command' && effect.kind !== 'act') return
    if (effect.kind === 'act' && effect.delayMs > 0) {
      const again = { kind: 'continue' as const, sagaId: SAGA_ID, step: name }
      return this.#hear({ ...again, attempt: effect.attempt, more: undefined })
    }
    this.#note(effect)
    await (effect.action === 'undo' ? this.#undo(effect) : this.#run(effect))
  }

  #note({ name, kind, ...effect }: StepEffect): void {
    const attempt = kind === 'act' && 'attempt' in effect ? effect.attempt : 1
    const what = 'action' in effect && effect.action === 'undo' ? `undo ${name}` : name
    this.trace.push(attempt > 1 ? `${what} (attempt ${attempt})` : what)
    if (this.#script.cancelAt === name && what === name)
      this.#hear({ kind: 'cancel', sagaId: SAGA_ID, reason: 'the test' })
  }

  #hear(input: SagaInput): void {
    this.#inputs.push(input)
  }

  /** True as long as this one of the scripted failures is left. */
  #mustFail(name: string, action: 'run' | 'undo'): boolean {
    const { hiccups, undoHiccups } = this.#script
    const wanted = (action === 'run' ? hiccups : undoHiccups).get(name) ?? 0
    const key = `${action} ${name}`
    const failed = this.#failures.get(key) ?? 0
    this.#failures.set(key, failed + 1)
    return failed < wanted
  }

  #attempt(): Attempt {
    return { clock: this.#clock, signal: new AbortController().signal }
  }

  #sender(): Sender {
    return { definition: this.#definition, sagaId: SAGA_ID, state: this.#state }
  }

  async #run(effect: Extract<StepEffect, { kind: 'command' | 'act' }>): Promise<void> {
    const { step, name } = effect
    const { fails, lost } = this.#script
    if (fails.has(name)) {
      const refusal = fails.get(name)
      return this.#hear({ kind: 'refused', sagaId: SAGA_ID, step: name, refusal })
    }
    if (this.#mustFail(name, 'run')) {
      const message = 'a hiccup of the test'
      if (step.action.kind === 'local')
        this.#hear({ kind: 'failed', sagaId: SAGA_ID, step: name, action: 'run', message })
      else this.#timeUp(name)
      return
    }
    const fake = this.#fakes[step.name]
    if (lost.has(name)) {
      if (step.action.kind === 'local') await this.#actNow(effect)
      return this.#timeUp(name)
    }
    if (fake === undefined && step.action.kind === 'local')
      return this.#hear((await this.#actNow(effect)).input)
    if (fake === undefined)
      throw new Error(`give a fake for ${step.name}: { ${step.name}: its result }`)
    const context = contextOf(this.#definition, this.#state, step, name)
    const value = typeof fake === 'function' ? (fake as (c: StepContext) => unknown)(context) : fake
    this.#hear({ kind: 'done', sagaId: SAGA_ID, step: name, result: step.out.encode(value) })
  }

  #actNow({ step, name, action }: Extract<StepEffect, { kind: 'command' | 'act' }>) {
    return act(this.#sender(), { step, name, action, attempt: 1 }, this.#attempt())
  }

  #timeUp(name: string): void {
    const state = this.#state.steps.get(name)
    const attempt = state?.status === 'started' ? state.attempt : 1
    const timeout = { kind: 'timeout' as const, sagaId: SAGA_ID, step: name, attempt }
    this.#hear({ ...timeout, action: undefined })
  }

  async #undo(effect: Extract<StepEffect, { kind: 'command' | 'act' }>): Promise<void> {
    const { step, name } = effect
    if (this.#mustFail(name, 'undo')) {
      const message = 'a hiccup of the test'
      if (step.action.kind === 'local')
        return this.#hear({ kind: 'failed', sagaId: SAGA_ID, step: name, action: 'undo', message })
    }
    // A remote undo is made, to see that it can be, and answered.
    if (step.action.kind === 'remote') this.#makeUndo(step, name)
    if (step.action.kind === 'local') return this.#hear((await this.#actNow(effect)).input)
    this.#hear({ kind: 'undone', sagaId: SAGA_ID, step: name })
  }

  #makeUndo({ action, ...step }: StepDefinition, name: string): void {
    if (action.kind !== 'remote') return
    const state = this.#state.steps.get(name)
    const done = state?.status === 'undoing' ? state.done : undefined
    const context = contextOf(this.#definition, this.#state, { action, ...step }, name)
    if (done !== undefined) action.to.encode(action.undo?.(context, done, metaOf(SAGA_ID, name)))
  }

  /** Signals are told from the start: a saga keeps those that come early. */
  tellSignals(): void {
    for (const [signal, value] of this.#script.signals)
      this.#hear({ kind: 'signal', sagaId: SAGA_ID, signal, value })
  }
}

function differenceOf(found: readonly string[], wanted: readonly string[]): string {
  const lines: string[] = []
  for (let at = 0; at < Math.max(found.length, wanted.length); at += 1) {
    const [is, should] = [found[at], wanted[at]]
    if (is === should) lines.push(`    ${is}`)
    else lines.push(...(should === undefined ? [] : [`  - ${should}`]))
    if (is !== should && is !== undefined) lines.push(`  + ${is}`)
  }
  return lines.join('\n')
}

/**
 * Begins a test of a saga: `sagaTest(placeOrder, { stock: { left: 3 } }).input(x)
 * .fail('payment', { tag: 'declined' }).expectTrace(['stock', 'payment', 'undo stock'])`. `fakes`
 * are what services and children answer; local steps run themselves unless there is one.
 */
export function sagaTest<Input, Context, Refusal>(
  saga: Saga<Input, Context, Refusal>,
  fakes: Readonly<Record<string, Fake>> = {},
): SagaTest<Input> {
  return scripted<Input>(saga, fakes, { script: noScript, input: undefined })
}

function scripted<Input>(
  saga: SagaDefinition,
  fakes: Readonly<Record<string, Fake>>,
  { script, input }: { readonly script: Script; readonly input: unknown },
): SagaTest<Input> {
  const plus = (more: Partial<Script>): SagaTest<Input> =>
    scripted(saga, fakes, { script: { ...script, ...more }, input })
  const run = async (): Promise<SagaTestEnd> => {
    const test = new Run(saga, fakes, script)
    test.tellSignals()
    return test.run(input)
  }
  const { fails, hiccups, lost, undoHiccups, signals } = script
  return {
    input: (value) => scripted(saga, fakes, { script, input: value }),
    fail: (step, refusal) => plus({ fails: new Map(fails).set(step, refusal) }),
    hiccup: (step, times) => plus({ hiccups: new Map(hiccups).set(step, times) }),
    lost: (step) => plus({ lost: new Set(lost).add(step) }),
    hiccupUndo: (step, times) => plus({ undoHiccups: new Map(undoHiccups).set(step, times) }),
    signal: (name, value) => plus({ signals: new Map(signals).set(name, value) }),
    cancelAt: (step) => plus({ cancelAt: step }),
    run,
    async expectTrace(trace) {
      const end = await run()
      if (JSON.stringify(end.trace) === JSON.stringify(trace)) return end
      const text = `${saga.name} took another way (- expected, + found), and is ${end.outcome}`
      throw new Error(`${text}:\n${differenceOf(end.trace, trace)}`)
    },
    async expectOutcome(outcome) {
      const end = await run()
      if (end.outcome === outcome) return end
      const why = end.why === undefined ? '' : `, ${end.why}`
      throw new Error(
        `${saga.name} is ${end.outcome}${why}, not ${outcome}; it went ${end.trace.join(', ')}`,
      )
    },
  }
}
