/**
 * The book of the intake against the half messages in the log: the half that the book names is
 * committed, every other one is rolled back, and what nobody confirmed was decided by a check-back.
 */
import type { Evidence, HalfRecord } from './evidence.js'
import type { ExpectedBooks } from './expected-books.js'
import { atLeastCheck, type Check, type Difference, differenceAt, equalCheck } from './verdict.js'

/** Every order has one entry, and no two entries name the same half. */
export function bookCheck(books: ExpectedBooks, { book }: Evidence): Check {
  const entries = new Map<number, number>()
  for (const { order } of book) entries.set(order, (entries.get(order) ?? 0) + 1)
  const differences: Difference[] = []
  for (const order of books.orders) {
    const count = entries.get(order.n) ?? 0
    if (count !== 1) differences.push(differenceAt(order, 'one book entry', `${count}`))
    entries.delete(order.n)
  }
  for (const order of entries.keys()) {
    differences.push({ order, expected: 'no entry', found: 'an entry of an order not in the file' })
  }
  const halves = new Set(book.map(({ half }) => half)).size
  if (halves !== book.length) {
    differences.push({ expected: `${book.length} halves`, found: `${halves} different ones` })
  }
  const figures = { expected: books.orders.length, found: book.length }
  return equalCheck('entries in the book of the intake', { ...figures, differences })
}

function isCommitted({ decisions }: HalfRecord): boolean {
  return decisions.length === 1 && decisions[0] === 'commit'
}

function committedCheck(books: ExpectedBooks, { halves, book }: Evidence): Check {
  const byPosition = new Map(halves.map((half) => [half.position, half]))
  const named = new Map(book.map(({ order, half }) => [order, byPosition.get(half)]))
  const differences = books.orders.flatMap((order): Difference[] => {
    const half = named.get(order.n)
    if (half !== undefined && half.order === order.n && isCommitted(half)) return []
    const found = half === undefined ? 'no such half' : half.decisions.join(' and ') || 'undecided'
    return [differenceAt(order, 'the half in the book committed', found)]
  })
  const found = halves.filter(isCommitted).length
  const expected = books.orders.length
  return equalCheck('halves committed, as the book says', { expected, found, differences })
}

function rolledBackCheck({ halves, book, kills }: Evidence): Check {
  const named = new Set(book.map(({ half }) => half))
  const others = halves.filter(({ position }) => !named.has(position))
  const rolledBack = others.filter(({ decisions }) => decisions.join() === 'rollback')
  const stranded = kills?.strandedHalves ?? 0
  const least = atLeastCheck('stranded halves rolled back', stranded, rolledBack.length)
  const differences = others
    .filter((half) => !rolledBack.includes(half))
    .map(({ order, decisions }) => {
      const found = decisions.join(' and ') || 'undecided'
      return { order, expected: 'a half not in the book rolled back', found }
    })
  return { ...least, differences: [...differences, ...least.differences] }
}

/**
 * Counts only what nothing but a check-back can have decided: halves whose confirmation is dropped,
 * and halves that were rolled back, which no confirmation ever does here.
 */
function checkBackCheck(books: ExpectedBooks, { halves, book, kills }: Evidence): Check {
  const asked = new Map(
    halves.filter(({ checks }) => checks > 0).map((half) => [half.position, half]),
  )
  const named = new Map(book.map(({ order, half }) => [order, half]))
  const dropped = books.orders.filter((order) => order.isConfirmationDropped)
  const differences = dropped
    .filter(({ n }) => !asked.has(named.get(n) ?? -1))
    .map((order) => differenceAt(order, 'decided by a check-back', 'the broker never asked'))
  const rolledBack = [...asked.values()].filter(({ decisions }) => decisions[0] === 'rollback')
  const found = dropped.length - differences.length + rolledBack.length
  const least = dropped.length + (kills?.strandedHalves ?? 0)
  const check = atLeastCheck('halves decided by check-back', least, found)
  return { ...check, differences: [...differences, ...check.differences] }
}

/** How the halves were decided, and by whom. */
export function halvesChecks(books: ExpectedBooks, evidence: Evidence): readonly Check[] {
  return [
    committedCheck(books, evidence),
    rolledBackCheck(evidence),
    checkBackCheck(books, evidence),
  ]
}
