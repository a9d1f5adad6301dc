/**
 * What the compiler knows of a definition under way: which steps may come next, what a step may
 * read, what may refuse the saga. All phantoms over the builder's one object: a step before the
 * pivot has an undo, nothing after it can be refused or compensated, names are used once.
 */
import type { Either } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import type { SagaDefinition, StepMeta } from './definition.js'
import type { EndReason } from './saga-events.js'
import type {
  AnyStep,
  LocalPivot,
  LocalStep,
  LocalThen,
  RemoteForward,
  RemoteStep,
} from './steps.js'

/** The name itself, or a sentence that no name fits when it is taken. */
export type FreshName<Name extends string, Context> = Name extends keyof Context
  ? `the name '${Name}' is taken: each step has a name of its own`
  : Name

/** No step of several may have one of these names. */
export type Taken<Context> = {
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
export type AnyBeside = Beside<unknown, unknown>
export type ResultOf<Step> = Step extends Beside<infer A, unknown> ? A : never
type RefusedBy<Step> = Step extends Beside<unknown, infer E> ? E : never

/** The context with one more result. */
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

/**
 * Where a saga can go. `back`: all its steps stand before a pivot, so it can be compensated even
 * after its end. `ahead`: all stand behind one, so it cannot be refused or compensated. `turn`: it
 * has a pivot between them.
 */
export type Way = 'back' | 'turn' | 'ahead'

/** A definition of which the compiler knows where it can go. */
export type SagaOfWay<Input, Context, Refusal, W extends Way> = Saga<Input, Context, Refusal> & {
  /** For the compiler only. */
  readonly way?: W
}

/** A saga that can be compensated after its end. */
export type Revocable<Input, Context, Refusal> = SagaOfWay<Input, Context, Refusal, 'back'>

/** A saga that can only end as completed, however long it waits. */
export type Unstoppable<Input, Context> = SagaOfWay<Input, Context, never, 'ahead'>

type BeforePivot<Context, A, E> = LocalStep<Context, A, E> | RemoteStep<Context, A, E>
type AfterPivot<Context, A> = LocalThen<Context, A> | RemoteForward<Context, A, never>
/** What a step in a loop may read. */
export type InLoop<Context, Item> = Context & { readonly item: Item; readonly index: number }

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
  /** The same when the condition holds, an approval above a limit; its result is undefined else. */
  signalWhen<const Name extends string, A, E = never>(
    name: FreshName<Name, Context>,
    condition: (context: Context) => boolean,
    options: SignalOptions<Context, A, E>,
  ): SagaSteps<Input, With<Context, Name, A | undefined>, Refusal | E>
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

/** Before any step: one that begins with `then` has no way back from its start. */
export interface SagaHead<Input, Context> extends SagaSteps<Input, Context, never> {
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AfterPivot<Context, A>,
  ): SagaTail<Input, With<Context, Name, A>, never, 'ahead'>
}

/** After the pivot: nothing here can be refused, and nothing is undone any more. */
export interface SagaTail<Input, Context, Refusal, W extends Way = 'turn' | 'ahead'> {
  /** A step that cannot be refused. */
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AfterPivot<Context, A>,
  ): SagaTail<Input, With<Context, Name, A>, Refusal, W>
  /** Steps that run side by side. */
  all<Steps extends Readonly<Record<string, Beside<unknown, never>>>>(
    steps: (step: <A>(step: AfterPivot<Context, A>) => Beside<A, never>) => Steps & Taken<Context>,
  ): SagaTail<Input, Context & { readonly [Key in keyof Steps]: ResultOf<Steps[Key]> }, Refusal, W>
  /** A step that is skipped when the condition is false; its result is undefined then. */
  when<const Name extends string, A>(
    name: FreshName<Name, Context>,
    condition: (context: Context) => boolean,
    step: AfterPivot<Context, A>,
  ): SagaTail<Input, With<Context, Name, A | undefined>, Refusal, W>
  /** A step that is run for each item, one after another, with `c.item` and `c.index`. */
  forEach<const Name extends string, Item, A>(
    name: FreshName<Name, Context>,
    items: (context: Context) => readonly Item[],
    step: AfterPivot<InLoop<Context, Item>, A>,
  ): SagaTail<Input, With<Context, Name, readonly A[]>, Refusal, W>
  /** Waits for a signal that cannot refuse. With its time up the saga waits for a person. */
  signal<const Name extends string, A>(
    name: FreshName<Name, Context>,
    options: SignalOptions<Context, A, never>,
  ): SagaTail<Input, With<Context, Name, A>, Refusal, W>
  /** The same when the condition holds; its result is undefined else. */
  signalWhen<const Name extends string, A>(
    name: FreshName<Name, Context>,
    condition: (context: Context) => boolean,
    options: SignalOptions<Context, A, never>,
  ): SagaTail<Input, With<Context, Name, A | undefined>, Refusal, W>
  /** A saga of its own that begins with `then`: it can only go forward, as this one. */
  child<const Name extends string, ChildInput, ChildContext>(
    name: FreshName<Name, Context>,
    child: Unstoppable<ChildInput, ChildContext>,
    input: (context: Context, meta: StepMeta) => NoInfer<ChildInput>,
  ): SagaTail<Input, With<Context, Name, Omit<ChildContext, 'input'>>, Refusal, W>
  end(): SagaOfWay<Input, Context, Refusal, W>
}
