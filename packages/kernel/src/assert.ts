/**
 * Assertions for what only a wrong program can break. They stay on in production: a broken
 * invariant must stop the work before it reaches the log. Expected outcomes are values and
 * operating failures are errors of a package's table; neither comes here.
 */

/** Thrown when the program itself is wrong. Nothing catches it to go on. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Stops the program when `condition` does not hold; `message` says what should have held. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message)
}

/** Closes a switch over a union: the compiler proves that no case is left. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`)
}
