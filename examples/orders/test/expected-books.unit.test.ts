import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { expectedBooks, type ExpectedOrder } from '../src/audit/expected-books.js'
import { sampleText } from './world.js'

/** A file whose order `n` is the given line; all others are small and of other customers. */
function fileOf(lines: Readonly<Record<number, string>>): string {
  const last = Math.max(...Object.keys(lines).map(Number))
  return Array.from({ length: last }, (_, index) => {
    const n = index + 1
    return `${lines[n] ?? `${50_000 + n} ${n} 19970101 1 1.00`}\r\n`
  }).join('')
}

const at = (lines: Readonly<Record<number, string>>, n: number): ExpectedOrder | undefined =>
  expectedBooks(fileOf(lines)).orders[n - 1]

describe('the rules', () => {
  test('ten CDs fit into a quarter, eleven do not', () => {
    const lines = { 2: '7 1 19970110 6 1.00', 3: '7 1 19970320 4 1.00', 4: '7 1 19970331 1 1.00' }
    expect(at(lines, 3)).toMatchObject({ outcome: 'completed', inventory: ['Reserved'] })
    expect(at(lines, 4)).toMatchObject({
      outcome: 'out-of-stock',
      inventory: ['ReserveRefused'],
      payment: [],
    })
    expect(at({ ...lines, 4: '7 1 19970401 1 1.00' }, 4)?.outcome).toBe('completed')
  })

  test('10,000 cents fit into a month, one more does not, and its CDs are released', () => {
    const lines = { 2: '7 1 19970110 1 99.99', 3: '7 1 19970131 1 0.01', 4: '7 1 19970131 1 0.01' }
    expect(at(lines, 3)?.outcome).toBe('completed')
    expect(at(lines, 4)).toMatchObject({
      outcome: 'payment-refused',
      inventory: ['Reserved', 'Released'],
      payment: ['ChargeRefused'],
    })
    expect(at({ ...lines, 4: '7 1 19970201 1 0.01' }, 4)?.outcome).toBe('completed')
  })

  test('zero is a valid charge, also at the limit', () => {
    const lines = { 2: '7 1 19970110 1 100.00', 3: '7 1 19970131 1 0.00' }
    expect(at(lines, 3)).toMatchObject({ outcome: 'completed', payment: ['Charged'], cents: 0 })
  })

  test('a withheld reply is charged and refunded, and consumes nothing', () => {
    const lines = { 97: '7 1 19970110 9 90.00', 99: '7 1 19970110 9 90.00' }
    expect(at(lines, 97)).toMatchObject({
      outcome: 'timed-out',
      inventory: ['Reserved', 'Released'],
      payment: ['Charged', 'Refunded'],
    })
    expect(at(lines, 99)?.outcome).toBe('completed')
  })

  test('a late charge meets its fence', () => {
    expect(at({ 98: '7 1 19970110 1 1.00' }, 98)).toMatchObject({
      outcome: 'timed-out',
      payment: ['Fenced', 'LateChargeFenced'],
    })
    expect(at({ 1: '7 1 19970110 1 1.00' }, 1)?.outcome).toBe('timed-out')
  })

  test('above 80 dollars each seventh order is not approved, and nothing is charged', () => {
    const large = '7 1 19970110 1 80.01'
    expect(at({ 14: large }, 14)).toMatchObject({
      outcome: 'not-approved',
      inventory: ['Reserved', 'Released'],
      payment: [],
    })
    expect(at({ 14: '7 1 19970110 1 80.00' }, 14)?.outcome).toBe('completed')
    expect(at({ 13: large }, 13)?.outcome).toBe('completed')
    // It consumes nothing, and comes before a timeout and a refused payment.
    expect(at({ 14: large, 15: '7 1 19970110 10 99.00' }, 15)?.outcome).toBe('completed')
    expect(at({ 679: large }, 679)?.outcome).toBe('not-approved')
    expect(at({ 14: '7 1 19970110 1 100.01' }, 14)?.outcome).toBe('not-approved')
    expect(at({ 14: '7 1 19970110 11 80.01' }, 14)?.outcome).toBe('out-of-stock')
  })

  test('a stock refusal goes before a timeout, a timeout before a payment refusal', () => {
    const before = '7 1 19970110 9 100.00'
    expect(at({ 96: before, 97: '7 1 19970110 2 1.00' }, 97)?.outcome).toBe('out-of-stock')
    expect(at({ 96: before, 97: '7 1 19970110 1 1.00' }, 97)).toMatchObject({
      outcome: 'timed-out',
      payment: ['ChargeRefused', 'Fenced'],
    })
    expect(at({ 97: before, 98: '7 1 19970110 11 1.00' }, 98)?.outcome).toBe('out-of-stock')
  })
})

describe('the whole sample', () => {
  const books = expectedBooks(sampleText)
  const count = (outcome: string): number =>
    books.orders.filter((order) => order.outcome === outcome).length

  test('ends as the rules say', () => {
    expect(books.orders).toHaveLength(6_919)
    expect([
      count('completed'),
      count('out-of-stock'),
      count('not-approved'),
      count('payment-refused'),
      count('timed-out'),
    ]).toEqual([6_019, 377, 52, 333, 138])
    expect(books.orders.filter(({ isConfirmationDropped }) => isConfirmationDropped)).toHaveLength(
      68,
    )
  })

  test('never goes above a limit', () => {
    expect(Math.max(...books.stock.values())).toBeLessThanOrEqual(10)
    expect(Math.max(...books.money.values())).toBeLessThanOrEqual(10_000)
  })
})

const folder = new URL('../src/audit/', import.meta.url)
const importsOf = (name: string): readonly string[] =>
  [
    ...readFileSync(new URL(name, folder), 'utf8').matchAll(/\bfrom '([^']+)'|import\(|require\(/g),
  ].map(([text, source]) => source ?? text)

test('the code that computes the books imports nothing, the audit nothing from the demo', () => {
  expect(importsOf('expected-books.ts')).toEqual([])
  const all = readdirSync(folder).flatMap(importsOf)
  expect(all.length).toBeGreaterThan(0)
  expect(all.filter((source) => !source.startsWith('./'))).toEqual([])
})
