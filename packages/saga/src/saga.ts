/**
 * The builder: a saga as a list of typed steps. What the types enforce: a step before the pivot
 * has an undo, an undo cannot be refused, nothing after the pivot can be refused, names are used
 * once, a step reads results of earlier steps only. What comes out is data.
 */
import { topic } from '@sagalog/client'
import { assert } from '@sagalog/kernel'
import { topicNameProblem } from '@sagalog/protocol'
import * as E from 'fp-ts/lib/Either.js'
import type { Either } from 'fp-ts/lib/Either.js'
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
import { type EndReason, keyEvents, laneEvents, sagaEvents } from './saga-events.js'
import {
  type AnyStep,
  type LocalPivot,
  type LocalStep,
  type LocalThen,
  placed,
  type Placing,
  type RemoteForward,
  type RemoteStep,
  stepDefinition,
} from './steps.js'

/** The name itself, or a sentence that no name fits when it is taken. */
export type FreshName<Name extends string, Context> = Name extends keyof Context
  ? `the name '${Name}' is taken: each step has a name of its own`
  : Name

/** No step of several may have one of these names. */
type Taken<Context> = {
  readonly [
    Name in keyof Context
  ]?: `the name '${Name & string}' is taken: each step has a name of its own`
}

/** One of several steps side by side, with its types. */
export interface Beside<A, E> {
  readonly step: AnyStep<unknown, unknown, unknown>
  /** For the compiler only. */
  readonly types?: { readonly result: A; readonly refusal: E }
}
type AnyBeside = Beside<unknown, unknown>
type ResultOf<Step> = Step extends Beside<infer A, unknown> ? A : never
type RefusedBy<Step> = Step extends Beside<unknown, infer E> ? E : never

type With<Context, Name extends string, A> = Context & { readonly [Key in Name]: A }

/**
 * A finished definition. `Context` is its input and results by name, `Refusal` what may refuse it.
 */
export interface Saga<Input, Context, Refusal> extends SagaDefinition {
  /** For the compiler only. */
  readonly types?: {
    readonly input: (input: Input) => void
    readonly context: Context
    readonly refusal: Refusal
  }
  encodeInput(input: Input): unknown
}

type TypesOf<Definition extends { readonly types?: unknown }> = NonNullable<Definition['types']>

/** The input and all results of a saga, by name: `ContextOf<typeof placeOrder>`. */
export type ContextOf<Definition extends Saga<never, unknown, unknown>> =
  TypesOf<Definition> extends { readonly context: infer Context } ? Context : never
/** What may refuse a saga. */
export type RefusalOf<Definition extends Saga<never, unknown, unknown>> =
  TypesOf<Definition> extends { readonly refusal: infer Refusal } ? Refusal : never
/** What a saga is started with. */
export type InputOf<Definition extends Saga<never, unknown, unknown>> =
  TypesOf<Definition> extends { readonly input: (input: infer Input) => unknown } ? Input : never

/** What `signal` takes. */
export interface SignalOptions<Context, A, E> {
  /** What comes, and the result of the step. */
  readonly codec: t.Type<A, unknown>
  /** What is asked, for people who look at the sagas that wait. */
  readonly ask?: string
  /** Left refuses the saga. Pure. */
  readonly accept?: (context: Context, value: NoInfer<A>) => Either<E, NoInfer<A>>
  /** How long to wait, in milliseconds; then the saga is compensated. */
  readonly timeoutMs?: (context: Context) => number
}

/** A saga that can be compensated after its end: all its steps stand before a pivot. */
type Revocable<Input, Context, Refusal> = Saga<Input, Context, Refusal> & {
  readonly isRevocable?: true
}

type BeforePivot<Context, A, E> = LocalStep<Context, A, E> | RemoteStep<Context, A, E>
type AfterPivot<Context, A> = LocalThen<Context, A> | RemoteForward<Context, A, never>
type InLoop<Context, Item> = Context & { readonly item: Item; readonly index: number }

/** Before the pivot. */
export interface SagaSteps<Input, Context, Refusal> {
  /** A step with an undo, or with the reason why it has none: `irreversible('why')`. */
  step<const Name extends string, A, E>(
    name: FreshName<Name, Context>,
    step: BeforePivot<Context, A, E>,
  ): SagaSteps<Input, With<Context, Name, A>, Refusal | E>
  /**
   * Steps that run side by side; all are undone when one is refused:
   * `.all((step) => ({ hotel: step({ ... }), flight: step({ ... }) }))`.
   */
  all<Steps extends Readonly<Record<string, AnyBeside>>>(
    steps: (
      step: <A, E>(step: BeforePivot<Context, A, E>) => Beside<A, E>,
    ) => Steps & Taken<Context>,
  ): SagaSteps<
    Input,
    Context & { readonly [Key in keyof Steps]: ResultOf<Steps[Key]> },
    Refusal | RefusedBy<Steps[keyof Steps]>
  >
  /** A step that is skipped when the condition is false; its result is undefined then. */
  when<const Name extends string, A, E>(
    name: FreshName<Name, Context>,
    condition: (context: Context) => boolean,
    step: BeforePivot<Context, A, E>,
  ): SagaSteps<Input, With<Context, Name, A | undefined>, Refusal | E>
  /** A step that is run for each item, one after another, with `c.item` and `c.index`. */
  forEach<const Name extends string, Item, A, E>(
    name: FreshName<Name, Context>,
    items: (context: Context) => readonly Item[],
    step: BeforePivot<InLoop<Context, Item>, A, E>,
  ): SagaSteps<Input, With<Context, Name, readonly A[]>, Refusal | E>
  /** Waits for `signal(id, name, value)`: an approval, a callback. The first one counts. */
  signal<const Name extends string, A, E = never>(
    name: FreshName<Name, Context>,
    options: SignalOptions<Context, A, E>,
  ): SagaSteps<Input, With<Context, Name, A>, Refusal | E>
  /** A saga of its own as a step; it is compensated when this one is, also after its end. */
  child<const Name extends string, ChildInput, ChildContext, ChildRefusal>(
    name: FreshName<Name, Context>,
    child: Revocable<ChildInput, ChildContext, ChildRefusal>,
    input: (context: Context, meta: StepMeta) => NoInfer<ChildInput>,
  ): SagaSteps<Input, With<Context, Name, Omit<ChildContext, 'input'>>, Refusal | EndReason>
  /** Waits for a lock and holds it to the end of the saga. Sagas of all definitions share locks. */
  lock<const Name extends string>(
    name: FreshName<Name, Context>,
    key: (context: Context) => string,
    options?: { readonly timeoutMs?: (context: Context) => number },
  ): SagaSteps<Input, With<Context, Name, null>, Refusal>
  /** The step that decides: refused, all before is undone; done, the saga goes through. */
  pivot<const Name extends string, A, E = never>(
    name: FreshName<Name, Context>,
    step: LocalPivot<Context, A, E> | RemoteForward<Context, A, E>,
  ): SagaTail<Input, With<Context, Name, A>, Refusal | E>
  /** A step that cannot be refused; after it no step with an undo can follow. */
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AfterPivot<Context, A>,
  ): SagaTail<Input, With<Context, Name, A>, Refusal>
  end(): Revocable<Input, Context, Refusal>
}

/** After the pivot. */
export interface SagaTail<Input, Context, Refusal> {
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AfterPivot<Context, A>,
  ): SagaTail<Input, With<Context, Name, A>, Refusal>
  end(): Saga<Input, Context, Refusal> & { readonly isRevocable?: false }
}

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
): Revocable<Input, Context, Refusal> {
  return { ...defineSaga(head, steps), encodeInput: (value: Input) => head.input.encode(value) }
}

const childDefinition = (
  placing: Placing,
  child: SagaDefinition,
  input: (context: never, meta: StepMeta) => unknown,
): StepDefinition => {
  assert(
    child.steps.every(({ phase }) => phase === 'step'),
    `the child ${child.name} can be compensated after its end: it has no pivot`,
  )
  const action = { kind: 'child' as const, child, input, timeoutMs: undefined, undo: 'revoke' }
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

  #at(name: string, phase: StepPhase): Placing {
    return { name, phase, stage: (this.#steps.at(-1)?.stage ?? -1) + 1 }
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
    return this.#plus(
      ...beside.map(([name, { step }]) => stepDefinition(this.#at(name, 'step'), step)),
    )
  }
  when(
    name: string,
    when: (context: StepContext) => boolean,
    step: AnyStep<unknown, unknown, unknown>,
  ): Builder {
    return this.#plus(stepDefinition({ ...this.#at(name, 'step'), when }, step))
  }
  forEach(
    name: string,
    items: (context: StepContext) => readonly unknown[],
    step: AnyStep<unknown, unknown, unknown>,
  ): Builder {
    return this.#plus(stepDefinition({ ...this.#at(name, 'step'), items }, step))
  }
  signal(name: string, options: SignalOptions<unknown, unknown, unknown>): Builder {
    return this.#plus(signalDefinition(this.#at(name, 'step'), options))
  }
  child(name: string, child: SagaDefinition, input: () => unknown): Builder {
    return this.#plus(childDefinition(this.#at(name, 'step'), child, input))
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
): SagaSteps<Input, { readonly input: Input }, never> {
  const problem = topicNameProblem(`saga-${name}-state`)
  assert(problem === undefined, `a saga is named like a topic: ${problem ?? ''}`)
  assert(Number.isSafeInteger(version) && version >= 1, 'versions of a saga are counted from 1')
  const head: Head<Input> = { ...options, name, version, input }
  // The types of the builder are phantoms over the same object: this is where they are claimed.
  return new Builder(head as unknown as Head<never>, []) as unknown as SagaSteps<
    Input,
    { readonly input: Input },
    never
  >
}
