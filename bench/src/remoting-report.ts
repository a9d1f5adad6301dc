/** Writes the benchmark `remoting` for people: each row with both peers, their ratio, the aims. */
import { cpus } from 'node:os'
import type { AimResult, Measurement } from './measurement.js'

const number = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0 })

const COLUMNS: readonly (readonly [title: string, width: number])[] = [
  ['', -16],
  ['replies', -7],
  ['median/s', 9],
  ['min', 9],
  ['max', 9],
  ['p50 ms', 9],
  ['p99 ms', 9],
  ['client us', 9],
  ['broker us', 9],
  ['early', 5],
  ['load', 5],
]

function line(cells: readonly string[]): string {
  const padded = COLUMNS.map(([, width], index) => {
    const cell = cells[index] ?? ''
    return width < 0 ? cell.padEnd(-width) : cell.padStart(width)
  })
  return `  ${padded.join(' ')}`.trimEnd()
}

/** Row of one peer; `us` is the processor time of one message at either end. */
function row({ durability, earlyReplies, figures, load, ops, p50Ms, p99Ms, peer }: Measurement) {
  const { brokerUs, clientUs } = figures
  return line([
    peer,
    durability,
    number(ops.median),
    number(ops.min),
    number(ops.max),
    p50Ms === 0 ? '' : p50Ms.toFixed(3),
    p99Ms === 0 ? '' : p99Ms.toFixed(3),
    clientUs === undefined ? '' : number(clientUs),
    brokerUs === undefined ? '' : number(brokerUs),
    number(earlyReplies),
    load.toFixed(2),
  ])
}

function aimLine({ unit, value, least, most, isMet }: AimResult): string {
  const bound = least === undefined ? `at most ${number(most ?? 0)}` : `at least ${number(least)}`
  return `  aim: ${bound} ${unit}: ${number(value)}, ${isMet ? 'reached' : 'NOT reached'}`
}

/** When they were ready, and what they hold then. */
function startLine({ figures, peer }: Measurement): string {
  const { idleMib = 0, readyMs = 0 } = figures
  return `  ${peer}: ready in ${number(readyMs)} ms, ${number(idleMib)} MiB idle`
}

function caseLines(rows: readonly Measurement[]): string[] {
  const [first] = rows
  if (first === undefined) return []
  const isStart = 'readyMs' in first.figures
  const table = isStart
    ? rows.map(startLine)
    : [line(COLUMNS.map(([title]) => title)), ...rows.map(row)]
  const refusing = rows.filter(({ figures }) => (figures['refused'] ?? 0) > 0)
  const refusals = refusing.map(
    ({ figures, peer }) => `  ${peer} was too busy for ${number(figures['refused'] ?? 0)} of them`,
  )
  return ['', first.case, ...table, ...refusals, ...first.aims.map(aimLine)]
}

/** `why` says why RocketMQ was left out. Ratios are of the rounds: their median. */
export function remotingReport(
  measurements: readonly Measurement[],
  why: string | undefined,
): string {
  const labels = [...new Set(measurements.map((measurement) => measurement.case))]
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`
  const fileSystem = measurements[0]?.fileSystem ?? ''
  return [
    `remoting: Node ${process.version}, ${machine}, ${fileSystem}; bodies of 128 B`,
    ...(why === undefined ? [] : [`RocketMQ is left out: ${why}`]),
    ...labels.flatMap((label) =>
      caseLines(measurements.filter((measurement) => measurement.case === label)),
    ),
    '',
  ].join('\n')
}
