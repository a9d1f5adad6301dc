/**
 * A definition as a drawing, with a running saga laid over it: Mermaid text, and one HTML page that
 * needs nothing else. Pure; every text of the user's is escaped.
 */
import type { SagaDefinition, StepDefinition } from './definition.js'
import { loopIndex } from './definition.js'
import type { SagaState, StepState } from './evolve.js'
import type { SagaView } from './saga-handle.js'
import { reasonText, timelineOf } from './timeline.js'

/** How a step stands; `none` when it was not begun. */
type Standing = StepState['status'] | 'none'

/** Of a step with all its items, the one that tells most. */
function standingOf(step: StepDefinition, state: SagaState | undefined): Standing {
  const all = (state?.steps.entries() ?? []).filter(
    ([name]) =>
      name === step.name || (loopIndex(name) !== undefined && name.startsWith(`${step.name}#`)),
  )
  return all.at(-1)?.[1].status ?? 'none'
}

const colours: Readonly<Record<Standing, readonly [fill: string, line: string]>> = {
  none: ['#ffffff', '#8c959f'],
  queued: ['#fff8c5', '#9a6700'],
  started: ['#ddf4ff', '#0969da'],
  done: ['#dafbe1', '#1a7f37'],
  skipped: ['#f6f8fa', '#59636e'],
  refused: ['#ffebe9', '#cf222e'],
  doubt: ['#fff8c5', '#9a6700'],
  undoing: ['#fbefff', '#8250df'],
  undone: ['#f6f8fa', '#8250df'],
  kept: ['#fff8c5', '#9a6700'],
}

const words: Readonly<Record<Standing, string>> = {
  none: '',
  queued: 'waits for its limit',
  started: 'under way',
  done: 'done',
  skipped: 'skipped',
  refused: 'refused',
  doubt: 'in doubt',
  undoing: 'being undone',
  undone: 'undone',
  kept: 'stays',
}

function notesOf(step: StepDefinition): readonly string[] {
  const { action, phase, when, items, limit, irreversible } = step
  const where = action.kind === 'remote' ? action.to.name : action.kind
  return [
    ...(phase === 'pivot' ? ['pivot'] : []),
    where,
    ...(when === undefined ? [] : ['on a condition']),
    ...(items === undefined ? [] : ['for each item']),
    ...(limit === undefined ? [] : [`limit ${limit.name}`]),
    ...(irreversible === undefined ? [] : ['no undo']),
  ]
}

/** Names as Mermaid takes them. */
const quoted = (text: string): string => text.replaceAll('"', '#quot;').replaceAll(/[\r\n]+/g, ' ')

/** A flowchart for Mermaid; steps side by side stand between the same two others. */
export function sagaMermaid(definition: SagaDefinition, state?: SagaState): string {
  const { name, version, stages } = definition
  const lines = ['flowchart LR', `  start(["${quoted(name)} ${version}"])`]
  let before = ['start']
  for (const [index, stage] of stages.entries()) {
    const ids = stage.map((_, at) => `s${index}_${at}`)
    for (const [at, step] of stage.entries()) {
      const standing = standingOf(step, state)
      const text = [step.name, ...notesOf(step), ...(standing === 'none' ? [] : [words[standing]])]
      const [open, close] = step.phase === 'pivot' ? ['{{', '}}'] : ['[', ']']
      lines.push(`  ${ids[at]}${open}"${quoted(text.join(' / '))}"${close}`)
      const [fill, line] = colours[standing]
      lines.push(`  style ${ids[at]} fill:${fill},stroke:${line}`)
    }
    for (const from of before) for (const to of ids) lines.push(`  ${from} --> ${to}`)
    before = ids
  }
  for (const from of before) lines.push(`  ${from} --> done(["completed"])`)
  return `${lines.join('\n')}\n`
}

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

// Names and causes are as long as users make them: they break anywhere before they leave the page.
const STYLE = `:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#1f2328;background:#fff;
overflow-wrap:anywhere}h1{font-size:1.4rem;margin:0}.state{margin:.2rem 0 1.5rem;color:#59636e}
.stages{display:flex;flex-wrap:wrap;align-items:center;row-gap:1rem;padding:.5rem 0 1.5rem}
.stage{display:flex;flex-direction:column;gap:.6rem}.arrow{color:#8c959f;padding:0 .6rem;flex:none}
.step{border:2px solid;border-radius:8px;padding:.5rem .9rem;min-width:7rem;max-width:15rem}
.step.pivot{border-style:double;border-width:5px}.step b{display:block}
.step small{display:block;color:#59636e}.step em{font-style:normal;font-size:.85em}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .8rem;text-align:left;
border-bottom:1px solid #d1d9e0;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}td.c{color:#59636e}td.w{min-width:10rem;overflow-wrap:break-word}
@media(max-width:40rem){body{margin:1rem;font-size:14px}
.stages{flex-direction:column;align-items:stretch;row-gap:.2rem}.step{max-width:none}
.arrow{align-self:center;transform:rotate(90deg)}table,tbody{display:block}thead{display:none}
tr{display:grid;grid-template-columns:auto 1fr auto;column-gap:.8rem;padding:.3rem 0;
border-bottom:1px solid #d1d9e0}td{border:0;padding:0}td:nth-child(1),td:empty{display:none}
td.w{min-width:0;grid-column:2}td.c{grid-column:1/-1}}`

function stepHtml(step: StepDefinition, state: SagaState | undefined): string {
  const standing = standingOf(step, state)
  const [fill, line] = colours[standing]
  const kind = step.phase === 'pivot' ? 'step pivot' : 'step'
  const style = `background:${fill};border-color:${line}`
  const said = standing === 'none' ? '' : `<em style="color:${line}">${words[standing]}</em>`
  const notes = escaped(notesOf(step).join(', '))
  return `<div class="${kind}" style="${style}"><b>${escaped(step.name)}</b><small>${notes}</small>${said}</div>`
}

function timelineHtml(view: SagaView): string {
  const rows = timelineOf(view.history).map(({ version, sinceStartMs, what, cause, tookMs }) => {
    const took = tookMs === undefined ? '' : `${tookMs} ms`
    const since = `${(sinceStartMs / 1_000).toFixed(3)} s`
    const cells = `<td class="n">${version}</td><td class="n">${since}</td><td class="w">${escaped(what)}</td>`
    return `<tr>${cells}<td class="n">${took}</td><td class="c">${escaped(cause)}</td></tr>`
  })
  const head =
    '<tr><th class="n">#</th><th class="n">after</th><th>what</th><th class="n">took</th><th>why</th></tr>'
  return `<table><thead>${head}</thead><tbody>${rows.join('\n')}</tbody></table>`
}

function stateText({ phase, parked, reason }: SagaState): string {
  if (parked !== undefined) return `waits for a person: ${parked}`
  return reason === undefined ? phase : `${phase}: ${reasonText(reason)}`
}

/** One page: the definition, and with `view` how that saga stands and what happened to it. */
export function sagaHtml(definition: SagaDefinition, view?: SagaView): string {
  const { name, version, stages } = definition
  const state = view?.state
  const title = view === undefined ? `${name} ${version}` : `${name} ${view.sagaId}`
  const drawn = stages.map(
    (stage) => `<div class="stage">${stage.map((step) => stepHtml(step, state)).join('')}</div>`,
  )
  const about = state === undefined ? `definition, version ${version}` : stateText(state)
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(title)}</title>
<style>${STYLE}</style></head><body>
<h1>${escaped(title)}</h1><p class="state">${escaped(about)}</p>
<div class="stages">${drawn.join('<span class="arrow">&#9654;</span>')}</div>
${view === undefined ? '' : timelineHtml(view)}
</body></html>
`
}
