/** The verdict for a terminal: a table of what was checked, one clear line, and what to do next. */
import Table from 'cli-table3'
import { type Check, type Difference, expectedText, grouped } from './audit/verdict.js'
import type { Verdict } from './audit/verdict.js'
import type { Figures } from './figures.js'

export interface VerdictText {
  readonly verdict: Verdict
  readonly figures: Figures
  /** What was run, in a few words. */
  readonly title: string
  readonly reportPath: string
  readonly directory: string
  readonly isColoured: boolean
}

const DIFFERENCES_SHOWN = 10
const BARE = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '  ',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
}

type Paint = (code: number, text: string) => string

function tableOf(
  rows: readonly (readonly string[])[],
  aligns: readonly ('left' | 'right')[],
): string {
  const style = { head: [], border: [], 'padding-left': 0, 'padding-right': 0 }
  const table = new Table({ chars: BARE, style, colAligns: [...aligns] })
  for (const row of rows) table.push([...row])
  return table.toString()
}

function checksTable(checks: readonly Check[], paint: Paint): string {
  const rows = checks.map((check) => [
    check.differences.length === 0 ? paint(32, 'ok') : paint(31, 'DIFFERS'),
    check.name,
    expectedText(check),
    grouped(check.found),
  ])
  const head = ['', 'checked', 'expected', 'found'].map((text) => paint(2, text))
  return tableOf([head, ...rows], ['left', 'left', 'right', 'right'])
}

function figuresTable(figures: Figures): string {
  const { sagaMs, sagaMsUntimed } = figures
  const rows = [
    ['sagas/s', grouped(Math.round(figures.sagasPerSecond)), 'orders', grouped(figures.orders)],
    [
      'messages/s',
      grouped(Math.round(figures.messagesPerSecond)),
      'messages',
      grouped(figures.messages),
    ],
    ['syncs/s', grouped(Math.round(figures.syncsPerSecond)), 'syncs', grouped(figures.syncs)],
    ['saga p50', `${sagaMs.p50Ms} ms`, 'saga p99', `${sagaMs.p99Ms} ms`],
    ['p50 untimed', `${sagaMsUntimed.p50Ms} ms`, 'p99 untimed', `${sagaMsUntimed.p99Ms} ms`],
    ['seconds', figures.seconds.toFixed(1), 'log', `${(figures.logBytes / 1e6).toFixed(1)} MB`],
    ['early replies', grouped(figures.earlyReplies), 'book syncs', grouped(figures.bookSyncs)],
  ]
  return tableOf(rows, ['left', 'right', 'left', 'right'])
}

interface Shown extends Difference {
  readonly check: string
}

/** The differences that concern the lowest orders; those of the whole run come last. */
export function firstDifferences(verdict: Verdict, limit = DIFFERENCES_SHOWN): readonly Shown[] {
  const all = verdict.checks.flatMap(({ name, differences }) =>
    differences.map((difference) => ({ ...difference, check: name })),
  )
  const key = ({ order }: Difference): number => order ?? Number.MAX_SAFE_INTEGER
  return all.sort((left, right) => key(left) - key(right)).slice(0, limit)
}

function differencesText(verdict: Verdict): string {
  const total = verdict.checks.reduce((sum, { differences }) => sum + differences.length, 0)
  const lines = firstDifferences(verdict).map(({ order, customer, check, expected, found }) => {
    const who = customer === undefined ? '' : ` of customer ${customer}`
    const where = order === undefined ? `the run${who}` : `order ${order}${who}`
    return `    ${where}, ${check}: expected ${expected}; found ${found}`
  })
  const more = total > lines.length ? [`    and ${grouped(total - lines.length)} more`] : []
  return ['  The first differences:', ...lines, ...more].join('\n')
}

/** The whole text, without a newline at the end. */
export function verdictText(text: VerdictText): string {
  const { verdict, figures, title, reportPath, directory, isColoured } = text
  const paint: Paint = (code, part) => (isColoured ? `\u001b[${code}m${part}\u001b[0m` : part)
  const line = verdict.passed
    ? paint(32, `  PASSED  The log agrees with the books computed from the file, order by order.`)
    : paint(31, `  FAILED  The log does not agree with the books computed from the file.`)
  const next = verdict.passed
    ? [
        '  Next:    npm run demo -- --kills 20        kill the worker 20 times on the way',
        '           npm run demo -- --durability os   what the syncs cost',
        '           README.md                         the thirty lines to write first',
      ]
    : [
        `  Next:    npm run demo -- --dir ${directory}   audit the same directory again`,
        '           keep the directory; it holds everything that is needed to find the cause',
      ]
  return [
    '',
    `  ${title}`,
    '',
    checksTable(verdict.checks, paint),
    '',
    figuresTable(figures),
    '',
    ...(verdict.passed ? [] : [differencesText(verdict), '']),
    line,
    '',
    `  Report:  ${reportPath}`,
    ...next,
    '',
  ].join('\n')
}
