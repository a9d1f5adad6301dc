/** The verdict as data: a row for each promise that was checked, and where it was broken. */

export interface Difference {
  /** The order it shows at; undefined when it concerns the run as a whole. */
  readonly order?: number
  readonly customer?: string
  readonly expected: string
  readonly found: string
}

export interface Check {
  readonly name: string
  readonly expected: string
  readonly found: string
  readonly differences: readonly Difference[]
}

export interface Verdict {
  readonly passed: boolean
  readonly checks: readonly Check[]
}

/** A difference that shows at one order of the file. */
export function differenceAt(
  { n, customer }: { readonly n: number; readonly customer: string },
  expected: string,
  found: string,
): Difference {
  return { order: n, customer, expected, found }
}

/** A row that compares two figures of the whole run. */
export function figureCheck(name: string, expected: number, found: number): Check {
  const [left, right] = [grouped(expected), grouped(found)]
  const differences = expected === found ? [] : [{ expected: left, found: right }]
  return { name, expected: left, found: right, differences }
}

/** A row for a figure that has only a lower bound. */
export function atLeastCheck(name: string, least: number, found: number): Check {
  const expected = `at least ${grouped(least)}`
  const differences = found >= least ? [] : [{ expected, found: grouped(found) }]
  return { name, expected, found: grouped(found), differences }
}

export function grouped(value: number): string {
  return value.toLocaleString('en-US')
}
