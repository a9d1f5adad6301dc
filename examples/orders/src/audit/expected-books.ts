/**
 * What must come out, computed from the order file alone. Imports nothing, so that a mistake in the
 * services or in their parser cannot hide here: lines are taken apart by hand, one customer after
 * the other in file order, and the rules are applied in their precedence: stock refusal, approval,
 * timeout, payment refusal.
 */

export type Outcome =
  | 'completed'
  | 'out-of-stock'
  | 'not-approved'
  | 'payment-refused'
  | 'timed-out'

/** What an order leaves behind in a service's stream, each exactly once. */
export type Effect =
  | 'Reserved'
  | 'ReserveRefused'
  | 'Released'
  | 'Charged'
  | 'ChargeRefused'
  | 'Refunded'
  | 'Fenced'
  | 'LateChargeFenced'

export interface ExpectedOrder {
  readonly n: number
  readonly customer: string
  readonly outcome: Outcome
  readonly cds: number
  readonly cents: number
  readonly quarter: string
  readonly month: string
  /** The confirmation of the half message is dropped: only a check-back can decide it. */
  readonly isConfirmationDropped: boolean
  /** In the order in which they must stand in the customer's stream. */
  readonly inventory: readonly Effect[]
  readonly payment: readonly Effect[]
}

export interface ExpectedBooks {
  readonly orders: readonly ExpectedOrder[]
  /** Unreleased CDs, by `customer quarter`; zero is left out. */
  readonly stock: ReadonlyMap<string, number>
  /** Unrefunded cents, by `customer month`; zero is left out. */
  readonly money: ReadonlyMap<string, number>
}

const CDS_PER_QUARTER_MAX = 10
const CENTS_PER_MONTH_MAX = 10_000
const CENTS_WITHOUT_APPROVAL_MAX = 8_000

interface Line {
  readonly customer: string
  readonly quarter: string
  readonly month: string
  readonly cds: number
  readonly cents: number
}

/** Columns by hand: customer, sample id, YYYYMMDD, CDs, dollars with a point before the cents. */
function lineOf(text: string): Line {
  const [customer = '', , date = '', cds = '', dollars = ''] = text.split(' ').filter(Boolean)
  const [whole = '0', digits = ''] = dollars.split('.')
  const year = date.slice(0, 4)
  const month = date.slice(4, 6)
  return {
    customer,
    quarter: `${year}-Q${Math.floor((Number(month) - 1) / 3) + 1}`,
    month: `${year}-${month}`,
    cds: Number(cds),
    cents: Number(whole + digits.concat('00').slice(0, 2)),
  }
}

function decide(n: number, line: Line, cdsSoFar: number, centsSoFar: number): ExpectedOrder {
  const withinStock = cdsSoFar + line.cds <= CDS_PER_QUARTER_MAX
  const withinLimit = centsSoFar + line.cents <= CENTS_PER_MONTH_MAX
  const order = { n, ...line, isConfirmationDropped: n % 101 === 0 }
  if (!withinStock) {
    return { ...order, outcome: 'out-of-stock', inventory: ['ReserveRefused'], payment: [] }
  }
  const undone = { ...order, inventory: ['Reserved', 'Released'] } as const
  if (line.cents > CENTS_WITHOUT_APPROVAL_MAX && n % 7 === 0) {
    return { ...undone, outcome: 'not-approved', payment: [] }
  }
  if (n % 97 === 0) {
    // The service decides although nobody hears it, so an order above the limit is refused first.
    const payment = withinLimit
      ? (['Charged', 'Refunded'] as const)
      : (['ChargeRefused', 'Fenced'] as const)
    return { ...undone, outcome: 'timed-out', payment }
  }
  if (n % 97 === 1) {
    return { ...undone, outcome: 'timed-out', payment: ['Fenced', 'LateChargeFenced'] }
  }
  if (!withinLimit) return { ...undone, outcome: 'payment-refused', payment: ['ChargeRefused'] }
  return { ...order, outcome: 'completed', inventory: ['Reserved'], payment: ['Charged'] }
}

/** The books of the first `limit` orders of a well-formed file; without a limit, of all. */
export function expectedBooks(text: string, limit?: number): ExpectedBooks {
  const lines = text
    .split('\n')
    .map((line) => line.replace('\r', ''))
    .filter((line, index, all) => line !== '' || index < all.length - 1)
    .slice(0, limit)
  const stock = new Map<string, number>()
  const money = new Map<string, number>()
  const orders: ExpectedOrder[] = []
  for (const [index, columns] of lines.entries()) {
    const line = lineOf(columns)
    const quarterKey = `${line.customer} ${line.quarter}`
    const monthKey = `${line.customer} ${line.month}`
    const cdsSoFar = stock.get(quarterKey) ?? 0
    const centsSoFar = money.get(monthKey) ?? 0
    const order = decide(index + 1, line, cdsSoFar, centsSoFar)
    orders.push(order)
    if (order.outcome !== 'completed') continue
    stock.set(quarterKey, cdsSoFar + line.cds)
    if (centsSoFar + line.cents > 0) money.set(monthKey, centsSoFar + line.cents)
  }
  return { orders, stock, money }
}
