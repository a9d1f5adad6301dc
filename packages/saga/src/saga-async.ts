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
import type { LocalMeta } from './definition.js'
import { Refuse, refusable } from './refuse.js'
import { saga, type SagaOptions } from './saga.js'
import type { AsyncForward, AsyncHead, AsyncSignal, AsyncStep } from './saga-async-types.js'
import type { AnyBeside } from './saga-types.js'

/** Reads what a saga is started with; throws when it is not that. */
export type Validate<Input> = (value: unknown) => Input

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

/** A signal in the form of the other builder. */
function asSignal({ codec = t.unknown, accept, ...options }: AsyncSignal<never, unknown>): unknown {
  if (accept === undefined) return { ...options, codec }
  const accepted = (context: never, value: unknown): Either<unknown, unknown> => {
    try {
      return E.right(accept(context, value))
    } catch (thrown) {
      if (Refuse.is(thrown)) return E.left(thrown.refusal)
      throw thrown
    }
  }
  return { ...options, codec, accept: accepted }
}

type BesideSteps = Readonly<Record<string, AnyBeside>>

/** The other builder, of whatever types. */
interface AnySteps {
  step(name: string, step: unknown): AnySteps
  all(steps: (step: (step: unknown) => AnyBeside) => BesideSteps): AnySteps
  when(name: string, condition: unknown, step: unknown): AnySteps
  forEach(name: string, items: unknown, step: unknown): AnySteps
  signal(name: string, options: unknown): AnySteps
  signalWhen(name: string, condition: unknown, options: unknown): AnySteps
  child(name: string, child: unknown, input: unknown): AnySteps
  lock(name: string, key: unknown, options: unknown): AnySteps
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
  all(steps: (step: (step: AnyAsync) => AnyBeside) => BesideSteps): AsyncBuilder {
    return new AsyncBuilder(this.#steps.all((step) => steps((one) => step(asStep(one)))))
  }
  when(name: string, condition: unknown, step: AnyAsync): AsyncBuilder {
    return new AsyncBuilder(this.#steps.when(name, condition, asStep(step)))
  }
  forEach(name: string, items: unknown, step: AnyAsync): AsyncBuilder {
    return new AsyncBuilder(this.#steps.forEach(name, items, asStep(step)))
  }
  signal(name: string, options: AsyncSignal<never, unknown>): AsyncBuilder {
    return new AsyncBuilder(this.#steps.signal(name, asSignal(options)))
  }
  signalWhen(name: string, condition: unknown, options: AsyncSignal<never, unknown>): AsyncBuilder {
    return new AsyncBuilder(this.#steps.signalWhen(name, condition, asSignal(options)))
  }
  child(name: string, child: unknown, input: unknown): AsyncBuilder {
    return new AsyncBuilder(this.#steps.child(name, child, input))
  }
  lock(name: string, key: unknown, options: unknown): AsyncBuilder {
    return new AsyncBuilder(this.#steps.lock(name, key, options))
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
): AsyncHead<Input, { readonly input: Input }> {
  const codec = typeof input === 'function' ? codecOf(`${name} input`, input) : input
  const steps = saga(name, version, codec, options) as unknown as AnySteps
  // As in the other builder: the types are phantoms over one object.
  return new AsyncBuilder(steps) as unknown as AsyncHead<Input, { readonly input: Input }>
}
