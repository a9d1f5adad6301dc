/**
 * Owns the reading of an order file: five columns separated by spaces, one purchase a line, order n
 * is line n. Never touches a file itself and never rounds: cents are made from the digits.
 */

export interface Order {
  /** The number of the line, from 1. */
  readonly n: number
  readonly customer: string
  /** The calendar quarter of the purchase, such as `1997-Q1`. */
  readonly quarter: string
  /** The calendar month of the purchase, such as `1997-01`. */
  readonly month: string
  readonly cds: number
  readonly cents: number
}

export type ParsedOrders =
  | { readonly ok: true; readonly orders: readonly Order[] }
  | { readonly ok: false; readonly line: number; readonly reason: string }

const COLUMNS = ['customer id', 'sample id', 'date', 'number of CDs', 'dollars'] as const
/** Longer numbers are a mistake in the file; shorter ones stay far inside the safe integers. */
const DIGITS_MAX = 9

/** Whole cents from `12`, `12.3` or `12.34`; undefined for anything else. */
export function centsOf(dollars: string): number | undefined {
  const match = /^(\d+)(?:\.(\d{1,2}))?$/.exec(dollars)
  const whole = match?.[1]
  if (whole === undefined || whole.length > DIGITS_MAX) return undefined
  return Number(whole) * 100 + Number((match?.[2] ?? '').padEnd(2, '0'))
}

interface Day {
  readonly quarter: string
  readonly month: string
}

function dayOf(text: string): Day | undefined {
  const match = /^(\d{4})(\d{2})(\d{2})$/.exec(text)
  if (match === null) return undefined
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])]
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  const days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
  if (days === undefined || day < 1 || day > days) return undefined
  const quarter = Math.ceil(month / 3)
  return { quarter: `${match[1]}-Q${quarter}`, month: `${match[1]}-${match[2]}` }
}

/** One line to one order, or the reason why it is none. */
export function parseOrderLine(line: string, n: number): Order | string {
  const fields = line.trim().split(/\s+/)
  if (line.trim() === '') return 'the line is empty'
  if (fields.length !== COLUMNS.length) {
    return `${COLUMNS.length} columns are needed (${COLUMNS.join(', ')}), found ${fields.length}`
  }
  const [customer = '', sample = '', date = '', count = '', dollars = ''] = fields
  if (!/^\d{1,9}$/.test(customer)) return `the customer id is not a number: ${quoted(customer)}`
  if (!/^\d{1,9}$/.test(sample)) return `the sample id is not a number: ${quoted(sample)}`
  const day = dayOf(date)
  if (day === undefined) return `the date is not a day written as YYYYMMDD: ${quoted(date)}`
  const cds = /^\d{1,9}$/.test(count) ? Number(count) : 0
  if (cds < 1) return `the number of CDs is not a whole number above 0: ${quoted(count)}`
  const cents = centsOf(dollars)
  if (cents === undefined) return `the dollars are not an amount such as 29.33: ${quoted(dollars)}`
  return { n, customer, ...day, cds, cents }
}

/** Shows a field of a stranger's file without its control characters, cut to a readable length. */
function quoted(field: string): string {
  return JSON.stringify(field.length > 40 ? `${field.slice(0, 40)}...` : field)
}

/** The first `limit` orders of a file's text; without a limit, all. Stops at the first bad line. */
export function parseOrders(text: string, limit?: number): ParsedOrders {
  const lines = text.split('\n')
  if (lines.at(-1)?.trim() === '') lines.pop()
  if (lines.length === 0) return { ok: false, line: 1, reason: 'the file holds no orders' }
  const orders: Order[] = []
  for (const line of lines.slice(0, limit)) {
    const order = parseOrderLine(line, orders.length + 1)
    if (typeof order === 'string') return { ok: false, line: orders.length + 1, reason: order }
    orders.push(order)
  }
  return { ok: true, orders }
}
