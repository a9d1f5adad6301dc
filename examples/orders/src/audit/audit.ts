/**
 * Compares what a run left behind with the books computed from the file alone, order by order.
 * Pure: it reads nothing and imports nothing from the demo. Invariant: a check passes only when it
 * found no difference, and every order of the file is looked at by every check that concerns it.
 */
import type { Evidence, ServiceRecord } from './evidence.js'
import type { ExpectedBooks, Outcome } from './expected-books.js'
import { bookCheck, halvesChecks } from './halves.js'
import { lanesCheck } from './lanes.js'
import { printedCheck } from './printed.js'
import { atLeastCheck, type Check, type Difference, differenceAt, equalCheck } from './verdict.js'
import { figureCheck, type Verdict } from './verdict.js'

const OUTCOMES: readonly Outcome[] = [
  'completed',
  'out-of-stock',
  'not-approved',
  'payment-refused',
  'timed-out',
]

/** The verdict on a run. */
export function audit(books: ExpectedBooks, evidence: Evidence): Verdict {
  const checks = [
    ...outcomeChecks(books, evidence),
    oneEndCheck(books, evidence),
    effectsCheck('stock effects, each once', books, evidence.inventory, 'inventory'),
    effectsCheck('payment effects, each once', books, evidence.payment, 'payment'),
    balanceCheck('CDs kept, by customer and quarter', books.stock, evidence.inventory),
    balanceCheck('cents kept, by customer and month', books.money, evidence.payment),
    lanesCheck(books, evidence),
    bookCheck(books, evidence),
    ...halvesChecks(books, evidence),
    unplannedTimeoutsCheck(evidence),
    printedCheck(evidence),
    ...leftoverChecks(evidence),
    figureCheck('early replies', 0, evidence.earlyReplies),
    ...killChecks(evidence),
  ]
  return { passed: checks.every(({ differences }) => differences.length === 0), checks }
}

function outcomeChecks(books: ExpectedBooks, { sagas }: Evidence): Check[] {
  const found = new Map<number, readonly string[]>()
  for (const saga of sagas) found.set(saga.order, saga.outcomes)
  return OUTCOMES.map((outcome) => {
    const wanted = books.orders.filter((order) => order.outcome === outcome)
    const differences = wanted.flatMap((order): Difference[] => {
      const outcomes = found.get(order.n) ?? []
      if (outcomes.includes(outcome)) return []
      return [differenceAt(order, outcome, outcomes.join(' and ') || 'no end')]
    })
    const count = sagas.filter((saga) => saga.outcomes.includes(outcome)).length
    return equalCheck(`orders ${outcome}`, { expected: wanted.length, found: count, differences })
  })
}

function oneEndCheck(books: ExpectedBooks, { sagas }: Evidence): Check {
  const ends = new Map<number, number>()
  const differences: Difference[] = []
  for (const saga of sagas) {
    ends.set(saga.order, (ends.get(saga.order) ?? 0) + saga.outcomes.length)
  }
  for (const order of books.orders) {
    const count = ends.get(order.n) ?? 0
    if (count !== 1) differences.push(differenceAt(order, 'one final state', `${count}`))
    ends.delete(order.n)
  }
  for (const order of ends.keys()) {
    differences.push({ order, expected: 'no saga', found: 'a saga of an order not in the file' })
  }
  const found = sagas.filter(({ outcomes }) => outcomes.length === 1).length
  const expected = books.orders.length
  return equalCheck('sagas with one final state', { expected, found, differences })
}

/** Every effect of every order, its amount and its period, counted as records in the streams. */
function effectsCheck(
  name: string,
  books: ExpectedBooks,
  records: readonly ServiceRecord[],
  service: 'inventory' | 'payment',
): Check {
  const byOrder = new Map<number, ServiceRecord[]>()
  for (const record of records) {
    const list = byOrder.get(record.order)
    if (list === undefined) byOrder.set(record.order, [record])
    else list.push(record)
  }
  const differences: Difference[] = []
  let expectedCount = 0
  for (const order of books.orders) {
    const period = service === 'inventory' ? order.quarter : order.month
    const amount = service === 'inventory' ? order.cds : order.cents
    const show = (effect: string, customer = order.customer, sum = amount, when = period): string =>
      `${effect} ${sum} in ${when} by ${customer}`
    const expected = order[service].map((effect) => show(effect))
    const found = (byOrder.get(order.n) ?? []).map((record) =>
      show(record.effect, record.customer, record.amount, record.period),
    )
    expectedCount += expected.length
    byOrder.delete(order.n)
    if (expected.join() === found.join()) continue
    const [left, right] = [expected, found].map((list) => list.join(', ') || 'nothing')
    differences.push(differenceAt(order, left ?? '', right ?? ''))
  }
  for (const [order, list] of byOrder) {
    const found = list.map(({ effect }) => effect).join(', ')
    differences.push({ order, expected: 'no such order', found })
  }
  return equalCheck(name, { expected: expectedCount, found: records.length, differences })
}

const SIGNS: Readonly<Record<string, number>> = {
  Reserved: 1,
  Released: -1,
  Charged: 1,
  Refunded: -1,
}

function balanceCheck(
  name: string,
  expected: ReadonlyMap<string, number>,
  records: readonly ServiceRecord[],
): Check {
  const found = new Map<string, number>()
  for (const { customer, period, effect, amount } of records) {
    const key = `${customer} ${period}`
    found.set(key, (found.get(key) ?? 0) + (SIGNS[effect] ?? 0) * amount)
  }
  const differences: Difference[] = []
  for (const key of new Set([...expected.keys(), ...found.keys()])) {
    const [left, right] = [expected.get(key) ?? 0, found.get(key) ?? 0]
    if (left === right) continue
    const [customer = '', period = ''] = key.split(' ')
    differences.push({ customer, expected: `${left} in ${period}`, found: `${right}` })
  }
  const sum = (map: ReadonlyMap<string, number>): number =>
    [...map.values()].reduce((total, value) => total + value, 0)
  return equalCheck(name, { expected: sum(expected), found: sum(found), differences })
}

/** Orders that ran out of patience although they were given a day. */
function unplannedTimeoutsCheck({ sagas }: Evidence): Check {
  const unplanned = sagas.filter(
    ({ order, outcomes }) => outcomes.includes('timed-out') && order % 97 > 1,
  )
  const differences = unplanned.map(({ order, customer }) => ({
    order,
    customer,
    expected: 'an answer within a day',
    found: 'timed-out',
  }))
  return equalCheck('unplanned timeouts', { expected: 0, found: unplanned.length, differences })
}

function leftoverChecks({ leftovers }: Evidence): Check[] {
  return [
    figureCheck('undecided or parked halves', 0, leftovers.halvesOpen + leftovers.halvesParked),
    figureCheck('unacknowledged messages', 0, leftovers.unacknowledged),
    figureCheck('timers still open', 0, leftovers.timersOpen),
    figureCheck('dead letters', 0, leftovers.deadLetters),
    figureCheck('events of nobody', 0, leftovers.strayEvents),
  ]
}

function killChecks({ kills }: Evidence): Check[] {
  if (kills === undefined) return []
  const { strandsDemanded, strandedHalves, deletionsDemanded, checkpointsDeleted } = kills
  return [
    figureCheck('kills with work pending', kills.planned, kills.withWorkPending),
    atLeastCheck('halves stranded by a kill', strandsDemanded, strandedHalves),
    atLeastCheck('checkpoints deleted', Math.min(deletionsDemanded, 1), checkpointsDeleted),
  ]
}
