/**
 * The bridge between Promises and fp-ts, purely mechanical: a twin does exactly what its original
 * does, with the expected errors in the left. What is not an expected error still rejects, because
 * it means that the program is wrong.
 */
import { assert } from '@sagalog/kernel'
import * as E from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { ClientError } from './errors.js'

/** The TaskEither twin of `f` for the error class that `isExpected` recognises. */
export function asTaskEitherOf<Error>(isExpected: (thrown: unknown) => thrown is Error) {
  return <Args extends readonly unknown[], A>(f: (...args: Args) => Promise<A>) =>
    (...args: Args): TaskEither<Error, A> =>
    async () => {
      try {
        return E.right(await f(...args))
      } catch (thrown) {
        if (isExpected(thrown)) return E.left(thrown)
        throw thrown
      }
    }
}

/** The TaskEither twin of a function that rejects with ClientError. */
export const asTaskEither: <Args extends readonly unknown[], A>(
  f: (...args: Args) => Promise<A>,
) => (...args: Args) => TaskEither<ClientError, A> = asTaskEitherOf(ClientError.is)

/** What a handler may return: a promise, or a TaskEither that cannot be left. */
export type HandlerResult = Promise<void> | TaskEither<never, void>

/** Runs what a handler returned to its end. Rejects when it does. */
export function finish(result: HandlerResult): Promise<void> {
  return typeof result === 'function' ? finishTask(result) : result
}

async function finishTask(task: TaskEither<never, void>): Promise<void> {
  assert(E.isRight(await task()), 'a TaskEither<never, void> is never left')
}
