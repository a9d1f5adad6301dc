import { expect, test } from 'vitest'
import type { SagaRecord } from '../src/audit/evidence.js'
import { figureCheck, type Verdict } from '../src/audit/verdict.js'
import { figuresOf } from '../src/figures.js'
import { reportPage } from '../src/report-page.js'
import { seriesOf } from '../src/run-series.js'
import { verdictText } from '../src/verdict-text.js'

const saga = (order: number, fromMs: number, forMs: number, outcome: string): SagaRecord => ({
  order,
  customer: '7',
  outcomes: [outcome],
  startedAt: { position: 1, wallMs: fromMs },
  endedAt: { position: 2, wallMs: fromMs + forMs },
})
const sagas = [
  saga(1, 1_000, 10, 'completed'),
  saga(2, 1_500, 30, 'completed'),
  saga(3, 2_000, 1_000, 'timed-out'),
]
const figures = figuresOf(
  { seconds: 2, orders: 3, messages: 20, syncs: 8, bookSyncs: 3, logBytes: 5_000, earlyReplies: 0 },
  sagas,
)
const passed: Verdict = { passed: true, checks: [figureCheck('orders', 3, 3)] }
const failed: Verdict = {
  passed: false,
  checks: [
    {
      name: 'payment <b>',
      relation: 'equal',
      expected: 3,
      found: 2,
      differences: [{ order: 2, customer: '7', expected: 'Charged', found: '<script>' }],
    },
  ],
}

test('figures are rates of the work and percentiles of the sagas', () => {
  expect(figures.sagasPerSecond).toBe(1.5)
  expect(figures.sagaMs).toEqual({ p50Ms: 30, p99Ms: 1_000 })
  expect(figures.sagaMsUntimed).toEqual({ p50Ms: 10, p99Ms: 30 })
})

test('the series counts every order once, over time and by duration', () => {
  const series = seriesOf(sagas, [2_500])
  expect(series.ended['completed']?.at(-1)).toBe(2)
  expect(series.ended['timed-out']?.at(-1)).toBe(1)
  expect(series.seconds.at(-1)).toBeCloseTo(2)
  expect(series.kills).toEqual([1.5])
  const spent = Object.values(series.durations).flat()
  expect(spent.reduce((sum, value) => sum + value, 0)).toBe(3)
})

test('the page holds everything and escapes what it is given', () => {
  const chart = { script: 'chart()', style: '.chart{}' }
  const series = seriesOf(sagas, [])
  const page = reportPage({ title: '3 orders & more', verdict: failed, figures, series, chart })
  expect(page).not.toMatch(/\b(?:src|href)=|@import|url\(/)
  expect(page).toContain('3 orders &#38; more')
  expect(page).toContain('&#60;script&#62;')
  expect(page).toContain('FAILED')
})

test('the terminal says the verdict, where the report is, and what to try next', () => {
  const common = { figures, title: '3 orders', reportPath: '/r/report.html', directory: '/r' }
  const good = verdictText({ ...common, verdict: passed, isColoured: false })
  expect(good).toContain('PASSED')
  expect(good).toContain('/r/report.html')
  expect(good).toContain('npm run demo -- --kills 20')
  expect(good).not.toContain('\u001b')
  const bad = verdictText({ ...common, verdict: failed, isColoured: true })
  expect(bad).toContain('FAILED')
  expect(bad).toContain('order 2 of customer 7, payment <b>: expected Charged; found <script>')
})
