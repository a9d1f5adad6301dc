/**
 * The same sagas for those who write async functions. A refusal is `throw new Refuse(tag)`, any
 * other throw is a hiccup; what comes out is the same kind of object as the other builder's. What
 * is lost: the types of refusals, and that a step after the pivot cannot be refused is found at run
 * time only, where the saga then waits for a person.
 */
import type { Either } from 'fp-ts/lib/Either.js'
import * as E from 'fp-ts/lib/Either.js'
import * as O from 'fp-ts/lib/Option.js'
import * as t from 'io-ts'
import type { Limit, LocalMeta } from './definition.js'
import { type Refusal, refusable } from './refuse.js'
import { type FreshName, type Saga, saga, type SagaOptions } from './saga.js'
import type { Irreversible, Retry } from './steps.js'

/** Reads what a saga is started with; throws when it is not that. */
export type Validate<Input> = (value: unknown) => Input

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

type With<Context, Name extends string, A> = Context & { readonly [Key in Name]: A }

export interface AsyncSteps<Input, Context> {
  step<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AsyncStep<Context, A>,
  ): AsyncSteps<Input, With<Context, Name, A>>
  pivot<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AsyncForward<Context, A>,
  ): AsyncTail<Input, With<Context, Name, A>>
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AsyncForward<Context, A>,
  ): AsyncTail<Input, With<Context, Name, A>>
  end(): Saga<Input, Context, Refusal>
}

export interface AsyncTail<Input, Context> {
  then<const Name extends string, A>(
    name: FreshName<Name, Context>,
    step: AsyncForward<Context, A>,
  ): AsyncTail<Input, With<Context, Name, A>>
  end(): Saga<Input, Context, Refusal>
}

/** A function that reads a value, as a codec. */
export function codecOf<Input>(name: string, validate: Validate<Input>): t.Type<Input, unknown> {
  const read = (value: unknown, context: t.Context): Either<t.Errors, Input> => {
    try {
      return t.success(validate(value))
    } catch (thrown) {
      return t.failure(value, context, thrown instanceof Error ? thrown.message : String(thrown))
    }
  }
  const is = (value: unknown): value is Input => E.isRight(read(value, []))
  return new t.Type<Input, unknown>(name, is, read, (value) => value)
}

type AnyAsync = AsyncStep<never, unknown> | AsyncForward<never, unknown>

/** The step in the form of the other builder. */
function asStep(step: AnyAsync): unknown {
  const { out = t.unknown, run, timeoutMs, retry, limit } = step
  const forward = {
    out,
    run: (context: never, meta: LocalMeta) => refusable(() => run(context, meta)),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(retry === undefined ? {} : { retry }),
    ...(limit === undefined ? {} : { limit }),
  }
  if (!('undo' in step)) return forward
  const { undo } = step
  if (typeof undo !== 'function') return { ...forward, undo }
  const asUndo = (context: never, done: O.Option<unknown>, meta: LocalMeta) => async () => {
    await undo(context, O.toUndefined(done), meta)
    return E.right(undefined)
  }
  return { ...forward, undo: asUndo }
}

interface AnySteps {
  step(name: string, step: unknown): AnySteps
  pivot(name: string, step: unknown): AnySteps
  then(name: string, step: unknown): AnySteps
  end(): unknown
}

class AsyncBuilder {
  readonly #steps: AnySteps

  constructor(steps: AnySteps) {
    this.#steps = steps
  }
  step(name: string, step: AnyAsync): AsyncBuilder {
    return new AsyncBuilder(this.#steps.step(name, asStep(step)))
  }
  pivot(name: string, step: AnyAsync): AsyncBuilder {
    return new AsyncBuilder(this.#steps.pivot(name, asStep(step)))
  }
  then(name: string, step: AnyAsync): AsyncBuilder {
    return new AsyncBuilder(this.#steps.then(name, asStep(step)))
  }
  end(): unknown {
    return this.#steps.end()
  }
}

/**
 * Begins a definition whose steps are async functions:
 * `sagaAsync('trip', 1, readTrip).step('hotel', { run: async (c, m) => ..., undo: ... }).end()`.
 */
export function sagaAsync<Input>(
  name: string,
  version: number,
  input: t.Type<Input, unknown> | Validate<Input>,
  options: SagaOptions<Input> = {},
): AsyncSteps<Input, { readonly input: Input }> {
  const codec = typeof input === 'function' ? codecOf(`${name} input`, input) : input
  const steps = saga(name, version, codec, options) as unknown as AnySteps
  // As in the other builder: the types are phantoms over one object.
  return new AsyncBuilder(steps) as unknown as AsyncSteps<Input, { readonly input: Input }>
}
