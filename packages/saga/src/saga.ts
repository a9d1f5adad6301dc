/**
 * The builder: a saga as a list of steps, whose types are in a module of their own. What comes out
 * is data.
 */
import { topic } from '@sagalog/client'
import { assert } from '@sagalog/kernel'
import { topicNameProblem } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { resultsCodec } from './child.js'
import type {
  Migratable,
  SagaDefinition,
  StepContext,
  StepDefinition,
  StepMeta,
  StepPhase,
} from './definition.js'
import { fingerprintOf } from './fingerprint.js'
import { InboxMessage, type LanePlace } from './inbox.js'
import { keyEvents, laneEvents, sagaEvents } from './saga-events.js'
import type { AnyBeside, Saga, SagaHead, SignalOptions } from './saga-types.js'
import { type AnyStep, placed, type Placing, stepDefinition } from './steps.js'

export interface SagaOptions<Input> {
  /**
   * Sagas of one key run one after another, in the order of their places 1, 2, 3 and so on, each
   * after the end of the one before, whatever order their starts arrive in.
   */
  readonly lane?: (input: Input) => LanePlace
  /**
   * What others know the saga by while it runs, the number of an order for example: `signal` finds
   * it by that. Several sagas may go by one key.
   */
  readonly businessKey?: (input: Input) => string
  /** Milliseconds from its start until it is compensated, unless its pivot has begun by then. */
  readonly deadlineMs?: (input: Input) => number
  /** How running sagas of older versions are carried over, by their version. Pure. */
  readonly from?: Readonly<Record<number, (old: Migratable) => Migratable>>
}

interface Head<Input> extends SagaOptions<Input> {
  readonly name: string
  readonly version: number
  readonly input: t.Type<Input, unknown>
}

function stagesOf(steps: readonly StepDefinition[]): readonly (readonly StepDefinition[])[] {
  const stages: StepDefinition[][] = []
  for (const step of steps) (stages[step.stage] ??= []).push(step)
  return stages
}

const WHOLE_NUMBER = /^\d+$/

function checkNames(name: string, steps: readonly StepDefinition[]): void {
  assert(steps.length > 0, `the saga ${name} has a step`)
  assert(new Set(steps.map((step) => step.name)).size === steps.length, 'step names are used once')
  for (const step of steps) {
    // Steps are kept by name in the order of their start, and numbers would be sorted.
    assert(!WHOLE_NUMBER.test(step.name), `the step ${step.name} has a name that is not a number`)
    assert(!step.name.includes('#'), `the step ${step.name} has no # in its name`)
  }
}

/** A definition as data, of steps that are data already. */
export function defineSaga<Input>(
  head: Head<Input>,
  steps: readonly StepDefinition[],
): SagaDefinition {
  const { name, version, input, lane, deadlineMs, businessKey, from = {} } = head
  checkNames(name, steps)
  const hasLane = lane !== undefined
  return {
    name,
    version,
    fingerprint: fingerprintOf({ name, version, input, hasLane, steps }),
    input,
    hasLane,
    hasBusinessKey: businessKey !== undefined,
    steps,
    stages: stagesOf(steps),
    from,
    inbox: topic(`saga-${name}`, InboxMessage),
    events: sagaEvents(name),
    laneEvents: laneEvents(name),
    keyEvents: keyEvents(name),
    laneOf: (value: Input) => lane?.(value),
    businessKeyOf: (value: Input) => businessKey?.(value),
    deadlineMs: (value: Input) => deadlineMs?.(value),
  }
}

function finish<Input, Context, Refusal>(
  head: Head<Input>,
  steps: readonly StepDefinition[],
): Saga<Input, Context, Refusal> {
  return { ...defineSaga(head, steps), encodeInput: (value: Input) => head.input.encode(value) }
}

const childDefinition = (
  placing: Placing,
  child: SagaDefinition,
  input: (context: never, meta: StepMeta) => unknown,
): StepDefinition => {
  const isAhead = placing.phase === 'then'
  assert(
    isAhead || child.steps.every(({ phase }) => phase === 'step'),
    `the child ${child.name} can be compensated after its end: it has no pivot`,
  )
  assert(
    !isAhead || child.steps.every(({ phase }) => phase === 'then'),
    `the child ${child.name}, after a pivot, can only go forward: it begins with then`,
  )
  const undo = isAhead ? undefined : 'revoke'
  const action = { kind: 'child' as const, child, input, timeoutMs: undefined, undo }
  return { ...placed(placing, {}), out: resultsCodec(child), action } as StepDefinition
}

function signalDefinition<Context, A, E>(
  placing: Placing,
  { codec, ask, accept, timeoutMs }: SignalOptions<Context, A, E>,
): StepDefinition {
  const action = {
    kind: 'signal' as const,
    ask,
    accept: accept ?? ((_: unknown, value: unknown) => E.right(value)),
    value: codec,
    timeoutMs,
    undo: undefined,
  }
  return { ...placed(placing, {}), out: codec, action } as StepDefinition
}

/** The steps of the builder as data; which methods there are when is a matter of its types. */
class Builder {
  readonly #head: Head<never>
  readonly #steps: readonly StepDefinition[]

  constructor(head: Head<never>, steps: readonly StepDefinition[]) {
    this.#head = head
    this.#steps = steps
  }

  #plus(...steps: readonly StepDefinition[]): Builder {
    return new Builder(this.#head, [...this.#steps, ...steps])
  }

  /** What stands behind a pivot, or a `then`, can only go forward. */
  #at(name: string, phase?: StepPhase): Placing {
    const last = this.#steps.at(-1)
    const own = last === undefined || last.phase === 'step' ? 'step' : 'then'
    return { name, phase: phase ?? own, stage: (last?.stage ?? -1) + 1 }
  }

  step(name: string, step: AnyStep<unknown, unknown, unknown>): Builder {
    return this.#plus(stepDefinition(this.#at(name, 'step'), step))
  }
  all(
    steps: (
      step: (step: AnyStep<unknown, unknown, unknown>) => AnyBeside,
    ) => Readonly<Record<string, AnyBeside>>,
  ): Builder {
    const beside = Object.entries(steps((step) => ({ step })))
    return this.#plus(...beside.map(([name, { step }]) => stepDefinition(this.#at(name), step)))
  }
  when(
    name: string,
    when: (context: StepContext) => boolean,
    step: AnyStep<unknown, unknown, unknown>,
  ): Builder {
    return this.#plus(stepDefinition({ ...this.#at(name), when }, step))
  }
  forEach(
    name: string,
    items: (context: StepContext) => readonly unknown[],
    step: AnyStep<unknown, unknown, unknown>,
  ): Builder {
    return this.#plus(stepDefinition({ ...this.#at(name), items }, step))
  }
  signal(name: string, options: SignalOptions<unknown, unknown, unknown>): Builder {
    return this.#plus(signalDefinition(this.#at(name), options))
  }
  signalWhen(
    name: string,
    when: (context: StepContext) => boolean,
    options: SignalOptions<unknown, unknown, unknown>,
  ): Builder {
    return this.#plus(signalDefinition({ ...this.#at(name), when }, options))
  }
  child(name: string, child: SagaDefinition, input: () => unknown): Builder {
    return this.#plus(childDefinition(this.#at(name), child, input))
  }
  lock(
    name: string,
    key: (context: StepContext) => string,
    { timeoutMs }: { readonly timeoutMs?: (context: StepContext) => number } = {},
  ): Builder {
    const action = { kind: 'lock' as const, key, timeoutMs, undo: undefined }
    return this.#plus({ ...placed(this.#at(name, 'step'), {}), out: t.null, action })
  }
  pivot(name: string, step: AnyStep<unknown, unknown, unknown>): Builder {
    return this.#plus(stepDefinition(this.#at(name, 'pivot'), step))
  }
  then(name: string, step: AnyStep<unknown, unknown, never>): Builder {
    return this.#plus(stepDefinition(this.#at(name, 'then'), step))
  }
  end(): Saga<never, unknown, unknown> {
    return finish(this.#head, this.#steps)
  }
}

/**
 * Begins a definition: `saga('place-order', 1, OrderInput).step('stock', ...).then(...).end()`.
 * The name is part of topic and category names; the version is stored with each running saga.
 */
export function saga<Input, Encoded>(
  name: string,
  version: number,
  input: t.Type<Input, Encoded>,
  options: SagaOptions<Input> = {},
): SagaHead<Input, { readonly input: Input }> {
  const problem = topicNameProblem(`saga-${name}-state`)
  assert(problem === undefined, `a saga is named like a topic: ${problem ?? ''}`)
  assert(Number.isSafeInteger(version) && version >= 1, 'versions of a saga are counted from 1')
  const head: Head<Input> = { ...options, name, version, input }
  // The types of the builder are phantoms over the same object: this is where they are claimed.
  return new Builder(head as unknown as Head<never>, []) as unknown as SagaHead<
    Input,
    { readonly input: Input }
  >
}
