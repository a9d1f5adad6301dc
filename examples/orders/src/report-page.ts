/**
 * The page of a run: one HTML file with everything inside, so that it opens from a disk and can be
 * sent to somebody. Text from outside is escaped; the data stands in a JSON block.
 */
import { expectedText, grouped, type Verdict } from './audit/verdict.js'
import type { Figures } from './figures.js'
import { PAGE_SCRIPT } from './report-script.js'
import type { RunSeries } from './run-series.js'
import { firstDifferences } from './verdict-text.js'

export interface ReportPage {
  readonly title: string
  readonly verdict: Verdict
  readonly figures: Figures
  readonly series: RunSeries
  /** The chart library's script and style, put into the page as they are. */
  readonly chart: { readonly script: string; readonly style: string }
}

const STYLE = `
:root { color-scheme: light dark; --line: #8884; --soft: #777; --good: #1a7f37; --bad: #cf222e; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.verdict { display: inline-block; padding: .2rem .8rem; border-radius: .4rem; color: #fff; font-weight: 600; }
.passed { background: var(--good); } .failed { background: var(--bad); }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1rem 0; }
.figures b { display: block; font-size: 1.3rem; } .figures span, small { color: var(--soft); }
table.audit { border-collapse: collapse; width: 100%; }
.audit th, .audit td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
.audit td.n, .audit th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.ok { color: var(--good); } td.differs { color: var(--bad); font-weight: 600; }
.chart { background: #fff; color: #222; border-radius: .4rem; padding: .5rem; overflow-x: auto; }
`

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
}

function figureBlocks(figures: Figures): string {
  const blocks: readonly (readonly [string, string])[] = [
    ['sagas/s', grouped(Math.round(figures.sagasPerSecond))],
    ['messages/s', grouped(Math.round(figures.messagesPerSecond))],
    ['syncs/s', grouped(Math.round(figures.syncsPerSecond))],
    ['p50 of a saga', `${figures.sagaMs.p50Ms} ms`],
    ['p99 of a saga', `${figures.sagaMs.p99Ms} ms`],
    ['p99 without planned timeouts', `${figures.sagaMsUntimed.p99Ms} ms`],
    ['seconds', figures.seconds.toFixed(1)],
    ['early replies', grouped(figures.earlyReplies)],
  ]
  return blocks.map(([name, value]) => `<div><b>${value}</b><span>${name}</span></div>`).join('')
}

function checkRows(verdict: Verdict): string {
  return verdict.checks
    .map((check) => {
      const isOk = check.differences.length === 0
      const mark = isOk ? '<td class="ok">ok</td>' : '<td class="differs">differs</td>'
      const [expected, found] = [expectedText(check), grouped(check.found)]
      const figures = `<td class="n">${expected}</td><td class="n">${found}</td>`
      return `<tr>${mark}<td>${escaped(check.name)}</td>${figures}</tr>`
    })
    .join('\n')
}

function differenceRows(verdict: Verdict): string {
  if (verdict.passed) return ''
  const rows = firstDifferences(verdict, 50).map(({ order, customer, check, expected, found }) => {
    const cells = [`${order ?? ''}`, customer ?? '', check, expected, found]
    return `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`
  })
  const head = ['order', 'customer', 'check', 'expected', 'found']
  const heads = head.map((name) => `<th>${name}</th>`).join('')
  return `<h2>The first differences</h2><table class="audit"><tr>${heads}</tr>${rows.join('\n')}</table>`
}

/** The page as text. */
export function reportPage({ title, verdict, figures, series, chart }: ReportPage): string {
  const word = verdict.passed ? 'passed' : 'failed'
  // Inside a script element only its own end could break out.
  const data = JSON.stringify(series).replaceAll('<', '\\u003c')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sagalog demo: ${word}</title>
<style>${chart.style}</style>
<style>${STYLE}</style>
</head>
<body>
<h1>Sagalog demo <span class="verdict ${word}">${word.toUpperCase()}</span></h1>
<p>${escaped(title)}</p>
<div class="figures">${figureBlocks(figures)}</div>
<h2>Orders by outcome over time</h2>
<p><small>Stacked, counted from the ends recorded in the log. Red lines: the worker was killed.</small></p>
<div class="chart" id="ended"></div>
<h2>How long a saga took</h2>
<p><small>From its first record to its last. Orders that are made to time out wait 250 ms or more.</small></p>
<div class="chart" id="durations"></div>
<h2>The audit</h2>
<table class="audit"><tr><th></th><th>checked</th><th class="n">expected</th><th class="n">found</th></tr>
${checkRows(verdict)}
</table>
${differenceRows(verdict)}
<script type="application/json" id="series">${data}</script>
<script>${chart.script}</script>
<script>${PAGE_SCRIPT}</script>
</body>
</html>
`
}
