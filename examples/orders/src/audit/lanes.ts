/**
 * One customer's orders run in file order, each after the end of the one before, undo included: the
 * places of their records in the log must not overlap. A late charge is fenced after its saga's end
 * and belongs to no lane.
 */
import type { Evidence, ServiceRecord } from './evidence.js'
import type { ExpectedBooks } from './expected-books.js'
import { type Check, type Difference, equalCheck } from './verdict.js'

interface Span {
  first: number
  last: number
  end: number
}

function spansOf({ sagas, inventory, payment }: Evidence): Map<number, Span> {
  const spans = new Map<number, Span>()
  const cover = ({ order, effect, position }: ServiceRecord): void => {
    if (effect === 'LateChargeFenced') return
    const span = spans.get(order)
    if (span === undefined) spans.set(order, { first: position, last: position, end: position })
    else {
      span.first = Math.min(span.first, position)
      span.last = Math.max(span.last, position)
    }
  }
  for (const record of inventory) cover(record)
  for (const record of payment) cover(record)
  for (const { order, endedAt } of sagas) {
    const span = spans.get(order)
    if (span !== undefined) span.end = endedAt.position
  }
  return spans
}

/** Every order that has a predecessor of the same customer begins after that one's end. */
export function lanesCheck(books: ExpectedBooks, evidence: Evidence): Check {
  const spans = spansOf(evidence)
  const before = new Map<string, number>()
  const differences: Difference[] = []
  let inOrder = 0
  let pairs = 0
  for (const { n, customer } of books.orders) {
    const previous = before.get(customer)
    before.set(customer, n)
    const own = spans.get(n)
    if (own !== undefined && own.last > own.end) {
      differences.push({
        order: n,
        customer,
        expected: 'its end last',
        found: 'an effect after it',
      })
    }
    if (previous === undefined) continue
    pairs += 1
    const earlier = spans.get(previous)
    if (own !== undefined && earlier !== undefined && own.first > earlier.end) inOrder += 1
    else {
      const expected = `after the end of order ${previous}`
      const found = own === undefined ? 'no record' : 'before it'
      differences.push({ order: n, customer, expected, found })
    }
  }
  const name = 'orders after the end of the one before'
  return equalCheck(name, { expected: pairs, found: inOrder, differences })
}
