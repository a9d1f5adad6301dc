/**
 * The builder: a saga as a list of typed steps. What the types enforce: a step before the pivot
 * has an undo, an undo cannot be refused, nothing after the pivot can be refused, names are used
 * once, a step reads results of earlier steps only. What comes out is data.
 */
import { topic } from '@sagalog/client'
import { assert } from '@sagalog/kernel'
import { topicNameProblem } from '@sagalog/protocol'
import type * as t from 'io-ts'
import type { SagaDefinition, StepDefinition } from './definition.js'
import { fingerprintOf } from './fingerprint.js'
import { InboxMessage, type LanePlace } from './inbox.js'
import { laneEvents, sagaEvents } from './saga-events.js'
import {
  type AnyStep,
  type LocalPivot,
  type LocalStep,
  type LocalThen,
  type RemoteForward,
  type RemoteStep,
  stepDefinition,
} from './steps.js'

/** The name itself, or a sentence that no name fits when it is taken. */
export type FreshName<Name extends string, Context> = Name extends keyof Context
  ? `the name '${Name}' is taken: each step has a name of its own`
  : Name

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

/** Before the pivot. */
export interface SagaSteps<Input, Context, Refusal> {
  /** A step with an undo. */
  step<const Name extends string, A, E>(
    name: FreshName<Name, Context>,
    step: LocalStep<Context, A, E> | RemoteStep<Context, A, E>,
  ): SagaSteps<Input, With<Context, Name, A>, Refusal | E>
  /** The step that decides: refused, all before is undone; done, the saga goes through. */
  pivot<const Name extends string, A, E = never>(
    name: FreshName<Name, Context>,
    step: LocalPivot<Context, A, E> | RemoteForward<Context, A, E>,
  ): SagaTail<Input, With<Context, Name, A>, Refusal | E>
  /** A step that cannot be refused; after it no step with an undo can follow. */
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: LocalThen<Context, A> | RemoteForward<Context, A, never>,
  ): SagaTail<Input, With<Context, Name, A>, Refusal>
  end(): Saga<Input, Context, Refusal>
}

/** After the pivot. */
export interface SagaTail<Input, Context, Refusal> {
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: LocalThen<Context, A> | RemoteForward<Context, A, never>,
  ): SagaTail<Input, With<Context, Name, A>, Refusal>
  end(): Saga<Input, Context, Refusal>
}

export interface SagaOptions<Input> {
  /**
   * Sagas of one key run one after another, in the order of their places 1, 2, 3 and so on, each
   * after the end of the one before, whatever order their starts arrive in.
   */
  readonly lane?: (input: Input) => LanePlace
}

interface Head<Input> {
  readonly name: string
  readonly version: number
  readonly input: t.Type<Input, unknown>
  readonly lane: ((input: Input) => LanePlace) | undefined
}

function finish<Input, Context, Refusal>(
  head: Head<Input>,
  steps: readonly StepDefinition[],
): Saga<Input, Context, Refusal> {
  const { name, version, input, lane } = head
  assert(steps.length > 0, `the saga ${name} has a step`)
  assert(new Set(steps.map((step) => step.name)).size === steps.length, 'step names are used once')
  const hasLane = lane !== undefined
  return {
    name,
    version,
    fingerprint: fingerprintOf({ name, version, input, hasLane, steps }),
    input,
    hasLane,
    steps,
    inbox: topic(`saga-${name}`, InboxMessage),
    events: sagaEvents(name),
    laneEvents: laneEvents(name),
    laneOf: (value: Input) => lane?.(value),
    encodeInput: (value) => input.encode(value),
  }
}

function builder<Input, Context, Refusal>(
  head: Head<Input>,
  steps: readonly StepDefinition[],
): SagaSteps<Input, Context, Refusal> {
  const plus = <Name extends string, A, E>(step: StepDefinition) =>
    builder<Input, With<Context, Name, A>, Refusal | E>(head, [...steps, step])
  return {
    step<const Name extends string, A, E>(name: string, step: AnyStep<Context, A, E>) {
      return plus<Name, A, E>(stepDefinition(name, 'step', step))
    },
    pivot<const Name extends string, A, E>(name: string, step: AnyStep<Context, A, E>) {
      return plus<Name, A, E>(stepDefinition(name, 'pivot', step))
    },
    then<const Name extends string, A>(name: string, step: AnyStep<Context, A, never>) {
      return plus<Name, A, never>(stepDefinition(name, 'then', step))
    },
    end: () => finish<Input, Context, Refusal>(head, steps),
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
  return builder({ name, version, input, lane: options.lane }, [])
}
