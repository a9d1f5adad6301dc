/** A refusal for those who write async functions: thrown, it means what a left means elsewhere. */
import * as E from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'

/** What a refusal by `throw new Refuse(tag, details)` looks like to others. */
export interface Refusal {
  readonly tag: string
  readonly details: unknown
}

/** `throw new Refuse('out-of-stock', { left: 0 })`: no, and trying again would not help. */
export class Refuse extends Error {
  override readonly name = 'Refuse'
  readonly refusal: Refusal

  constructor(tag: string, details: unknown = null) {
    super(`refused: ${tag}`)
    this.refusal = { tag, details }
  }

  static is(thrown: unknown): thrown is Refuse {
    return thrown instanceof Refuse
  }
}

/** An async function as a TaskEither: a thrown Refuse is the left, any other throw stays one. */
export function refusable<A>(run: () => Promise<A>): TaskEither<Refusal, A> {
  return async () => {
    try {
      return E.right(await run())
    } catch (thrown) {
      if (Refuse.is(thrown)) return E.left(thrown.refusal)
      throw thrown
    }
  }
}
