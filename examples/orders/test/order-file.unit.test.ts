import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { expectedBooks } from '../src/audit/expected-books.js'
import { centsOf, parseOrders } from '../src/order-file.js'
import { ordersOf, sampleText } from './world.js'

const line = (
  fields: Partial<Record<'customer' | 'sample' | 'date' | 'cds' | 'dollars', string>>,
) =>
  [
    fields.customer ?? '00004',
    fields.sample ?? '0001',
    fields.date ?? '19970101',
    fields.cds ?? ' 2',
    fields.dollars ?? '  29.33',
  ].join(' ')

describe('cents', () => {
  test.each([
    ['29.33', 2933],
    ['0.00', 0],
    ['5', 500],
    ['5.1', 510],
    ['1.15', 115],
    ['999999999.99', 99_999_999_999],
  ])('%s dollars are %i cents', (dollars, cents) => expect(centsOf(dollars)).toBe(cents))

  test.each(['', '-1', '1.', '.5', '1.234', '1e3', '1,50', '$1', 'NaN', '9999999999'])(
    '%j is no amount',
    (dollars) => expect(centsOf(dollars)).toBeUndefined(),
  )

  test('every amount of cents comes back from its digits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99_999_999_999 }), (cents) => {
        const dollars = `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`
        expect(centsOf(dollars)).toBe(cents)
      }),
    )
  })
})

describe('an order file', () => {
  test('numbers orders by line and knows quarter and month', () => {
    const orders = ordersOf(`${line({})}\r\n${line({ date: '19980630', dollars: '0.00' })}\r\n`)
    expect(orders).toEqual([
      { n: 1, customer: '00004', quarter: '1997-Q1', month: '1997-01', cds: 2, cents: 2933 },
      { n: 2, customer: '00004', quarter: '1998-Q2', month: '1998-06', cds: 2, cents: 0 },
    ])
  })

  test('may end without a line end, and may use LF alone', () => {
    expect(ordersOf(`${line({})}\n${line({})}`)).toHaveLength(2)
  })

  test.each([
    ['too few columns', '00004 0001 19970101 2', /5 columns are needed .* found 4/],
    ['too many columns', `${line({})} x`, /found 6/],
    ['an empty line', '', /the line is empty/],
    ['a customer that is no number', line({ customer: 'x1' }), /customer id .* "x1"/],
    ['a month that is none', line({ date: '19971301' }), /date .* "19971301"/],
    ['the 29th of February 1997', line({ date: '19970229' }), /date/],
    ['no CDs', line({ cds: '0' }), /number of CDs .* "0"/],
    ['half a CD', line({ cds: '1.5' }), /number of CDs/],
    ['a negative amount', line({ dollars: '-3.00' }), /dollars .* "-3.00"/],
    ['control characters', line({ dollars: '\u001b[31m' }), /\\u001b/],
  ])('%s is refused by its number', (_what, bad, reason) => {
    const parsed = parseOrders(`${line({})}\r\n${bad}\r\n${line({})}\r\n`)
    expect(parsed).toMatchObject({ ok: false, line: 2 })
    expect(parsed.ok ? '' : parsed.reason).toMatch(reason)
  })

  test('without orders is refused', () => {
    expect(parseOrders('')).toMatchObject({ ok: false, line: 1 })
    expect(parseOrders('\r\n')).toMatchObject({ ok: false, line: 1 })
  })

  test('a limit hides what is behind it', () => {
    expect(parseOrders(`${line({})}\nrubbish\n`, 1)).toMatchObject({ ok: true })
  })
})

describe('the sample', () => {
  const orders = ordersOf(sampleText)

  test('has 6,919 orders of 2,357 customers, eight of them without a charge', () => {
    expect(orders).toHaveLength(6_919)
    expect(new Set(orders.map(({ customer }) => customer)).size).toBe(2_357)
    expect(orders.filter(({ cents }) => cents === 0)).toHaveLength(8)
  })

  test('is read alike by the demo and by the audit, which share no code', () => {
    const seen = expectedBooks(sampleText).orders.map(
      ({ n, customer, quarter, month, cds, cents }) => ({
        n,
        customer,
        quarter,
        month,
        cds,
        cents,
      }),
    )
    expect(seen).toEqual(orders)
  })
})
