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
  /** How `found` must stand to `expected`. */
  readonly relation: 'equal' | 'at-least'
  readonly expected: number
  readonly found: number
  /** Empty for a check that passed. Equal sums alone are not enough. */
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

/** A row whose differences were looked for one by one. */
export function equalCheck(name: string, rest: Omit<Check, 'name' | 'relation'>): Check {
  return { name, relation: 'equal', ...rest }
}

/** A row that compares two figures of the whole run. */
export function figureCheck(name: string, expected: number, found: number): Check {
  const shown = { expected: grouped(expected), found: grouped(found) }
  return equalCheck(name, { expected, found, differences: expected === found ? [] : [shown] })
}

/** A row for a figure that has only a lower bound. */
export function atLeastCheck(name: string, least: number, found: number): Check {
  const check: Check = { name, relation: 'at-least', expected: least, found, differences: [] }
  if (found >= least) return check
  return { ...check, differences: [{ expected: expectedText(check), found: grouped(found) }] }
}

/** What a check expected, for people: `6,919` or `at least 5`. */
export function expectedText({ relation, expected }: Check): string {
  return relation === 'equal' ? grouped(expected) : `at least ${grouped(expected)}`
}

export function grouped(value: number): string {
  return value.toLocaleString('en-US')
}
