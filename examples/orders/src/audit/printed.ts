/**
 * The worker prints a line only after the acknowledgement is durable. So whatever it printed must
 * stand in the records, whatever happened to the worker afterwards.
 */
import type { Evidence } from './evidence.js'
import { type Check, type Difference, equalCheck } from './verdict.js'

/** Every printed line agrees with the book and with the sagas' streams. */
export function printedCheck({ printed, book, sagas }: Evidence): Check {
  const booked = new Set(book.map(({ order }) => order))
  const ends = new Map<number, readonly string[]>()
  for (const { order, outcomes } of sagas) ends.set(order, outcomes)
  const differences: Difference[] = []
  for (const line of printed) {
    const match = /^(placed|ended) (\d+)(?: (\S+))?$/.exec(line)
    const order = Number(match?.[2])
    const outcome = match?.[3]
    if (match === null) {
      differences.push({ expected: 'a line of the worker', found: line })
    } else if (match[1] === 'placed') {
      if (booked.has(order) && ends.has(order)) continue
      differences.push({ order, expected: line, found: 'the order was lost' })
    } else if (outcome === undefined || ends.get(order)?.includes(outcome) !== true) {
      const found = ends.get(order)?.join(' and ') ?? ''
      differences.push({ order, expected: line, found: found === '' ? 'no end' : found })
    }
  }
  const found = printed.length - differences.length
  const figures = { expected: printed.length, found }
  return equalCheck('acknowledged lines that hold', { ...figures, differences })
}
