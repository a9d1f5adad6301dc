/**
 * Given these events, when this command comes, then that must follow: a decider's examples as
 * tests. Runs under any test runner, because all it does is throw an error that shows the
 * difference.
 */
import { inspect, isDeepStrictEqual } from 'node:util'
import * as E from 'fp-ts/lib/Either.js'
import { type Decider, fold } from './decider.js'
import type { AnyEvent } from './event-set.js'

/** A rejection, or the part of it that matters. */
export type RejectionPattern<Reason> = Reason extends object
  ? { readonly [Key in keyof Reason]?: Reason[Key] }
  : Reason

export interface Outcome<Event, Reason> {
  /** Passes when exactly these events follow, in this order. */
  then(...events: readonly [Event, ...Event[]]): void
  /** Passes when the command is rejected and the reason has everything that `pattern` has. */
  rejectedWith(pattern: RejectionPattern<Reason>): void
  /** Passes when the command is taken and no event follows. */
  nothing(): void
}

export interface Given<Event, Command, Reason> {
  when(command: Command): Outcome<Event, Reason>
}

/**
 * A specification that does not hold. Runners that look for `expected` and `actual` show them too.
 */
export class SpecificationError extends Error {
  override readonly name = 'AssertionError'
  readonly expected: unknown
  readonly actual: unknown
  constructor(message: string, expected: unknown, actual: unknown) {
    super(message)
    this.expected = expected
    this.actual = actual
  }
}

function linesOf(value: unknown): readonly string[] {
  return inspect(value, { depth: 20, sorted: true, breakLength: 1 }).split('\n')
}

/** The lines of both, those in common once: `-` was expected, `+` is what came. */
export function differenceOf(expected: unknown, actual: unknown): string {
  const left = linesOf(expected)
  const right = linesOf(actual)
  // lengths[i][j]: the longest common subsequence of left from i and right from j.
  const lengths = Array.from({ length: left.length + 1 }, () =>
    new Array<number>(right.length + 1).fill(0),
  )
  const common = (i: number, j: number): number => lengths[i]?.[j] ?? 0
  for (let i = left.length - 1; i >= 0; i -= 1) {
    const row = lengths[i] ?? []
    for (let j = right.length - 1; j >= 0; j -= 1)
      row[j] =
        left[i] === right[j]
          ? common(i + 1, j + 1) + 1
          : Math.max(common(i + 1, j), common(i, j + 1))
  }
  const lines: string[] = []
  let i = 0
  let j = 0
  while (i < left.length || j < right.length) {
    if (i < left.length && j < right.length && left[i] === right[j]) {
      lines.push(`  ${left[i]}`)
      i += 1
      j += 1
    } else if (j >= right.length || (i < left.length && common(i + 1, j) >= common(i, j + 1))) {
      lines.push(`- ${left[i]}`)
      i += 1
    } else {
      lines.push(`+ ${right[j]}`)
      j += 1
    }
  }
  return lines.join('\n')
}

function fail(what: string, expected: unknown, actual: unknown): never {
  const difference = differenceOf(expected, actual)
  throw new SpecificationError(`${what}\n- expected\n+ actual\n\n${difference}`, expected, actual)
}

/** Throws a SpecificationError with the difference when the two are not deeply equal. */
export function assertEqual(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) fail('Not equal.', expected, actual)
}

function fits(pattern: unknown, reason: unknown): boolean {
  if (typeof pattern !== 'object' || pattern === null) return isDeepStrictEqual(pattern, reason)
  if (typeof reason !== 'object' || reason === null) return false
  const found = new Map<string, unknown>(Object.entries(reason))
  return Object.entries(pattern).every(
    ([key, value]) => found.has(key) && isDeepStrictEqual(value, found.get(key)),
  )
}

/** Begins a specification with what has happened: `given(Order, placed).when(pay).then(paid)`. */
export function given<State, Event extends AnyEvent, Command, Reason>(
  decider: Decider<State, Event, Command, Reason>,
  ...past: readonly Event[]
): Given<Event, Command, Reason> {
  return {
    when(command) {
      const result = decider.decide(command, fold(decider, past))
      const expectEvents = (events: readonly Event[]): void => {
        if (E.isLeft(result))
          fail('The command was rejected.', { events }, { rejected: result.left })
        if (!isDeepStrictEqual(result.right, events))
          fail('Other events followed.', events, result.right)
      }
      return {
        then: (...events) => expectEvents(events),
        nothing: () => expectEvents([]),
        rejectedWith(pattern) {
          if (E.isRight(result))
            fail('The command was taken.', { rejected: pattern }, { events: result.right })
          if (!fits(pattern, result.left))
            fail('The command was rejected for another reason.', pattern, result.left)
        },
      }
    },
  }
}
