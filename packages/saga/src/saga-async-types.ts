/**
 * What the compiler knows of a definition of async functions under way. As in the other form, but
 * for refusals: they are thrown, so that none is known by its type, and one that is thrown after
 * the pivot is found at run time only, where the saga then waits for a person.
 */
import type * as t from 'io-ts'
import type { Limit, LocalMeta, StepMeta } from './definition.js'
import type { Refusal } from './refuse.js'
import type { Beside, FreshName, InLoop, ResultOf, Revocable, SagaOfWay } from './saga-types.js'
import type { Taken, Way } from './saga-types.js'
import type { Irreversible, Retry } from './steps.js'

interface AsyncOptions<Context, A> {
  /** The codec of the result; any JSON value unless told. */
  readonly out?: t.Type<A, unknown>
  readonly timeoutMs?: (context: Context) => number
  readonly retry?: Retry
  readonly limit?: Limit
}

export interface AsyncForward<Context, A> extends AsyncOptions<Context, A> {
  readonly run: (context: Context, meta: LocalMeta) => Promise<A>
}

export interface AsyncStep<Context, A> extends AsyncForward<Context, A> {
  /** `done` is undefined when it is not known whether `run` did anything. */
  readonly undo:
    | ((context: Context, done: NoInfer<A> | undefined, meta: LocalMeta) => Promise<void>)
    | Irreversible
}

export interface AsyncSignal<Context, A> {
  /** What comes, and the result of the step; any JSON value unless told. */
  readonly codec?: t.Type<A, unknown>
  /** What is asked, for people who look at the sagas that wait. */
  readonly ask?: string
  /** The result of the step; `throw new Refuse(..)` refuses the saga. Pure. */
  readonly accept?: (context: Context, value: NoInfer<A>) => NoInfer<A>
  /** How long to wait, in milliseconds. */
  readonly timeoutMs?: (context: Context) => number
}

type With<Context, Name extends string, A> = Context & { readonly [Key in Name]: A }
type Results<Steps> = { readonly [Key in keyof Steps]: ResultOf<Steps[Key]> }
type AnyAsyncBeside = Readonly<Record<string, Beside<unknown, unknown>>>

/** Before the pivot. Each method does what the other builder's of the same name does. */
export interface AsyncSteps<Input, Context> {
  step<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AsyncStep<Context, A>,
  ): AsyncSteps<Input, With<Context, Name, A>>
  all<Steps extends AnyAsyncBeside>(
    steps: (step: <A>(step: AsyncStep<Context, A>) => Beside<A, Refusal>) => Steps & Taken<Context>,
  ): AsyncSteps<Input, Context & Results<Steps>>
  when<const Name extends string, A>(
    name: FreshName<Name, Context>,
    condition: (context: Context) => boolean,
    step: AsyncStep<Context, A>,
  ): AsyncSteps<Input, With<Context, Name, A | undefined>>
  forEach<const Name extends string, Item, A>(
    name: FreshName<Name, Context>,
    items: (context: Context) => readonly Item[],
    step: AsyncStep<InLoop<Context, Item>, A>,
  ): AsyncSteps<Input, With<Context, Name, readonly A[]>>
  signal<const Name extends string, A = unknown>(
    name: FreshName<Name, Context>,
    options: AsyncSignal<Context, A>,
  ): AsyncSteps<Input, With<Context, Name, A>>
  signalWhen<const Name extends string, A = unknown>(
    name: FreshName<Name, Context>,
    condition: (context: Context) => boolean,
    options: AsyncSignal<Context, A>,
  ): AsyncSteps<Input, With<Context, Name, A | undefined>>
  child<const Name extends string, ChildInput, ChildContext, ChildRefusal>(
    name: FreshName<Name, Context>,
    child: Revocable<ChildInput, ChildContext, ChildRefusal>,
    input: (context: Context, meta: StepMeta) => NoInfer<ChildInput>,
  ): AsyncSteps<Input, With<Context, Name, Omit<ChildContext, 'input'>>>
  lock<const Name extends string>(
    name: FreshName<Name, Context>,
    key: (context: Context) => string,
    options?: { readonly timeoutMs?: (context: Context) => number },
  ): AsyncSteps<Input, With<Context, Name, null>>
  pivot<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AsyncForward<Context, A>,
  ): AsyncTail<Input, With<Context, Name, A>>
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AsyncForward<Context, A>,
  ): AsyncTail<Input, With<Context, Name, A>>
  end(): Revocable<Input, Context, Refusal>
}

/** Before any step: one that begins with `then` has no way back from its start. */
export interface AsyncHead<Input, Context> extends AsyncSteps<Input, Context> {
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AsyncForward<Context, A>,
  ): AsyncTail<Input, With<Context, Name, A>, 'ahead'>
}

/** After the pivot. */
export interface AsyncTail<Input, Context, W extends Way = 'turn' | 'ahead'> {
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AsyncForward<Context, A>,
  ): AsyncTail<Input, With<Context, Name, A>, W>
  all<Steps extends AnyAsyncBeside>(
    steps: (
      step: <A>(step: AsyncForward<Context, A>) => Beside<A, Refusal>,
    ) => Steps & Taken<Context>,
  ): AsyncTail<Input, Context & Results<Steps>, W>
  when<const Name extends string, A>(
    name: FreshName<Name, Context>,
    condition: (context: Context) => boolean,
    step: AsyncForward<Context, A>,
  ): AsyncTail<Input, With<Context, Name, A | undefined>, W>
  forEach<const Name extends string, Item, A>(
    name: FreshName<Name, Context>,
    items: (context: Context) => readonly Item[],
    step: AsyncForward<InLoop<Context, Item>, A>,
  ): AsyncTail<Input, With<Context, Name, readonly A[]>, W>
  signal<const Name extends string, A = unknown>(
    name: FreshName<Name, Context>,
    options: AsyncSignal<Context, A>,
  ): AsyncTail<Input, With<Context, Name, A>, W>
  signalWhen<const Name extends string, A = unknown>(
    name: FreshName<Name, Context>,
    condition: (context: Context) => boolean,
    options: AsyncSignal<Context, A>,
  ): AsyncTail<Input, With<Context, Name, A | undefined>, W>
  child<const Name extends string, ChildInput, ChildContext>(
    name: FreshName<Name, Context>,
    child: SagaOfWay<ChildInput, ChildContext, unknown, 'ahead'>,
    input: (context: Context, meta: StepMeta) => NoInfer<ChildInput>,
  ): AsyncTail<Input, With<Context, Name, Omit<ChildContext, 'input'>>, W>
  end(): SagaOfWay<Input, Context, Refusal, W>
}
