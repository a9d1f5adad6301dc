import { beforeAll, describe, expect, test } from 'vitest'
import { audit } from '../src/audit/audit.js'
import type { Evidence } from '../src/audit/evidence.js'
import { expectedBooks } from '../src/audit/expected-books.js'
import type { Verdict } from '../src/audit/verdict.js'
import type { Order } from '../src/order-file.js'
import { firstDifferences } from '../src/verdict-text.js'
import { ordersOf, sampleText, World } from './world.js'

const ORDERS = 300
const orders = ordersOf(sampleText, ORDERS)
const books = expectedBooks(sampleText, ORDERS)

const failedChecks = ({ checks }: Verdict): readonly string[] =>
  checks.filter(({ differences }) => differences.length > 0).map(({ name }) => name)

describe('300 orders on a simulated disk', () => {
  let evidence: Evidence

  beforeAll(async () => {
    const world = new World(1, orders)
    await world.live()
    evidence = await world.evidence()
  }, 120_000)

  test('pass the audit', () => {
    const verdict = audit(books, evidence)
    expect(firstDifferences(verdict)).toEqual([])
    expect(verdict.passed).toBe(true)
    expect(evidence.printed.length).toBe(2 * ORDERS)
    expect(evidence.earlyReplies).toBe(0)
  })

  test('a changed charge turns the audit red', () => {
    const victim = evidence.payment.findIndex(({ effect }) => effect === 'Charged')
    const payment = evidence.payment.map((record, index) =>
      index === victim ? { ...record, amount: record.amount + 1 } : record,
    )
    const verdict = audit(books, { ...evidence, payment })
    expect(verdict.passed).toBe(false)
    expect(failedChecks(verdict)).toEqual([
      'payment effects, each once',
      'cents kept, by customer and month',
    ])
    expect(firstDifferences(verdict)[0]?.order).toBe(evidence.payment[victim]?.order)
  })

  test('a changed order of a lane turns the audit red', () => {
    const customer = orders.find(
      ({ n }) => n > 1 && orders[n - 2]?.customer === orders[n - 1]?.customer,
    )
    const second = customer?.n ?? 0
    const swapped = new Map([
      [second, second - 1],
      [second - 1, second],
    ])
    const places = new Map(evidence.inventory.map((record) => [record.order, record.position]))
    const inventory = evidence.inventory.map((record) => {
      const other = swapped.get(record.order)
      return other === undefined ? record : { ...record, position: places.get(other) ?? 0 }
    })
    const verdict = audit(books, { ...evidence, inventory })
    expect(verdict.passed).toBe(false)
    expect(failedChecks(verdict)).toEqual(['orders after the end of the one before'])
    expect(firstDifferences(verdict)[0]?.order).toBeGreaterThanOrEqual(second - 1)
  })

  test('a changed outcome turns the audit red', () => {
    const sagas = evidence.sagas.map((saga) =>
      saga.order === 7 ? { ...saga, outcomes: ['timed-out'] } : saga,
    )
    const verdict = audit(books, { ...evidence, sagas })
    expect(verdict.passed).toBe(false)
    expect(failedChecks(verdict)).toContain('unplanned timeouts')
    expect(firstDifferences(verdict)[0]).toMatchObject({ order: 7, found: 'timed-out' })
  })

  test('an effect that happened twice turns the audit red', () => {
    const [first] = evidence.inventory
    const inventory = first === undefined ? [] : [first, ...evidence.inventory]
    const verdict = audit(books, { ...evidence, inventory })
    expect(failedChecks(verdict)).toContain('stock effects, each once')
  })

  test('an acknowledged line that does not hold turns the audit red', () => {
    const printed = [...evidence.printed, 'ended 3 out-of-stock', 'placed 301']
    expect(failedChecks(audit(books, { ...evidence, printed }))).toEqual([
      'acknowledged lines that hold',
    ])
  })

  test('a half that the book does not name and that was committed turns the audit red', () => {
    const stray = { position: 1, order: 9, checks: 1, decisions: ['commit'] }
    const halves = [...evidence.halves, stray]
    expect(failedChecks(audit(books, { ...evidence, halves }))).toEqual([
      'stranded halves rolled back',
    ])
  })
})

describe('a run that did something else than the file says', () => {
  const few = 60
  const file = orders.slice(0, few)
  const fewBooks = expectedBooks(sampleText, few)

  async function verdictOn(worked: readonly Order[]): Promise<Verdict> {
    const world = new World(4, worked)
    await world.live()
    return audit(fewBooks, await world.evidence())
  }

  test('charged one cent more is found at its order', async () => {
    const verdict = await verdictOn(
      file.map((order) => (order.n === 20 ? { ...order, cents: order.cents + 1 } : order)),
    )
    expect(failedChecks(verdict)).toEqual([
      'payment effects, each once',
      'cents kept, by customer and month',
    ])
    expect(firstDifferences(verdict)[0]?.order).toBe(20)
  })

  test('ran two orders of a customer the other way round is found at its lane', async () => {
    const [first, second] = [file[4], file[5]]
    expect(first?.customer).toBe(second?.customer)
    const swapped = file.map((_order, index) => file[index === 4 ? 5 : index === 5 ? 4 : index])
    const verdict = await verdictOn(swapped.filter((order) => order !== undefined))
    expect(failedChecks(verdict)).toEqual(['orders after the end of the one before'])
    expect(firstDifferences(verdict)[0]?.customer).toBe(first?.customer)
  })

  test('refused an order that fits is found at its outcome', async () => {
    const verdict = await verdictOn(
      file.map((order) => (order.n === 31 ? { ...order, cds: 11 } : order)),
    )
    expect(verdict.passed).toBe(false)
    expect(failedChecks(verdict)).toContain('orders completed')
    expect(firstDifferences(verdict)[0]).toMatchObject({ order: 31, found: 'out-of-stock' })
  })
})

test('a saga of an order that the file does not have is found', async () => {
  const few = 40
  const world = new World(6, orders.slice(0, few + 1))
  await world.live()
  const evidence = await world.evidence(orders.slice(0, few))
  expect(evidence.sagas.some(({ order }) => order === few + 1)).toBe(true)
  const verdict = audit(expectedBooks(sampleText, few), evidence)
  const check = verdict.checks.find(({ name }) => name === 'sagas with one final state')
  const found = 'a saga of an order not in the file'
  expect(check?.differences).toEqual([{ order: few + 1, expected: 'no saga', found }])
})

/** A full run looks at more interleavings. */
const seeds = process.env['SAGALOG_FULL'] === undefined ? 3 : 30

describe('a worker that dies', () => {
  const lives = Array.from({ length: seeds }, (_, index) => ({
    seed: index + 1,
    isPowerLost: index % 3 > 0,
  }))

  test.each(lives)(
    'passes the same audit (seed $seed, power lost: $isPowerLost)',
    async ({ seed, isPowerLost }) => {
      const few = 120
      const world = new World(seed, orders.slice(0, few))
      let held = 0
      for (let life = 1; life <= 4; life += 1) {
        const endedAt = life * 20
        const isOver = (): boolean =>
          world.printed.filter((line) => line.startsWith('ended')).length >= endedAt &&
          (life % 2 === 1 || held === life)
        const beforeBookEntry = (): Promise<void> => {
          if (life % 2 === 1 || held === life) return Promise.resolve()
          held = life
          return new Promise(() => {})
        }
        await world.live({ beforeBookEntry }, { isOver, isPowerLost })
      }
      await world.live()
      const evidence = await world.evidence()
      const verdict = audit(expectedBooks(sampleText, few), evidence)
      expect(firstDifferences(verdict)).toEqual([])
      expect(held).toBe(4)
      const stranded = evidence.halves.filter(({ decisions }) => decisions.includes('rollback'))
      expect(stranded.length).toBeGreaterThan(0)
    },
    120_000,
  )
})
