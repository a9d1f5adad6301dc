/** Writes the figures of the log for people: each case with its yardsticks and its aims. */
import { cpus } from 'node:os'
import type { AimResult, Measurement } from './measurement.js'

const number = (value: number): string =>
  value.toLocaleString('en-US', { maximumFractionDigits: Math.abs(value) < 100 ? 2 : 0 })

const COLUMNS: readonly (readonly [title: string, width: number])[] = [
  ['', -22],
  ['ops/s min', 11],
  ['median', 11],
  ['max', 11],
  ['p50 ms', 8],
  ['p99 ms', 8],
  ['syncs/s', 8],
  ['B/record', 8],
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

/** Figures that have a column, or that an aim names with its unit. */
const SHOWN = new Set(['syncsPerSecond', 'bytesPerRecord'])

function row(measurement: Measurement): string {
  const { figures, ops } = measurement
  const perRecord = figures['bytesPerRecord']
  return line([
    measurement.peer,
    number(ops.min),
    number(ops.median),
    number(ops.max),
    measurement.p50Ms.toFixed(3),
    measurement.p99Ms.toFixed(3),
    number(Math.round(figures['syncsPerSecond'] ?? 0)),
    perRecord === undefined ? '' : number(perRecord),
    number(measurement.earlyReplies),
    measurement.load.toFixed(2),
  ])
}

function aimLine({ kind, unit, value, least, most, isMet }: AimResult): string {
  const bound = least === undefined ? `at most ${number(most ?? 0)}` : `at least ${number(least)}`
  const verdict = isMet ? 'reached' : 'NOT reached'
  return `  ${kind}: ${bound} ${unit}: ${number(value)}, ${verdict}`
}

function caseLines(rows: readonly Measurement[]): string[] {
  const [first] = rows
  if (first === undefined) return []
  const further = Object.entries(first.figures).filter(([key]) => !SHOWN.has(key))
  const figures = further.map(([key, value]) => `${key} ${number(value)}`).join(', ')
  return [
    '',
    first.case,
    line(COLUMNS.map(([title]) => title)),
    ...rows.map(row),
    ...(figures === '' ? [] : [`  ${figures}`]),
    ...first.aims.map(aimLine),
  ]
}

/** The machine, then each case. Ratios are of the same round: ours to the bare loop. */
export function logCoreReport(measurements: readonly Measurement[]): string {
  const labels = [...new Set(measurements.map((measurement) => measurement.case))]
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`
  const fileSystem = measurements[0]?.fileSystem ?? ''
  const lines = labels.flatMap((label) =>
    caseLines(measurements.filter((measurement) => measurement.case === label)),
  )
  return [
    `${measurements[0]?.name ?? ''}: Node ${process.version}, ${machine}, ${fileSystem}`,
    ...lines,
    '',
  ].join('\n')
}
