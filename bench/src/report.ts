/** Writes measurements for people: one line each, the yardstick under what it measures. */
import { cpus } from 'node:os'
import type { Measurement } from './measurement.js'

const number = (value: number): string => value.toLocaleString('en-US')

const COLUMNS: readonly (readonly [title: string, width: number])[] = [
  ['peer', -18],
  ['durability', -10],
  ['body B', 6],
  ['callers', 7],
  ['ops/s median', 12],
  ['min', 9],
  ['max', 9],
  ['p50 ms', 8],
  ['p99 ms', 8],
  ['syncs/s', 8],
  ['sends/write', 11],
  ['early', 5],
  ['load', 5],
  ['file system', -11],
]

function line(cells: readonly string[]): string {
  const padded = COLUMNS.map(([, width], index) => {
    const cell = cells[index] ?? ''
    return width < 0 ? cell.padEnd(-width) : cell.padStart(width)
  })
  return padded.join('  ').trimEnd()
}

/** The machine, the file system and a row for each measurement. */
export function reportOf(measurements: readonly Measurement[]): string {
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}`
  const rows = measurements.map((row) =>
    line([
      row.peer,
      row.durability,
      number(row.body),
      number(row.concurrency),
      number(row.ops.median),
      number(row.ops.min),
      number(row.ops.max),
      row.p50Ms.toFixed(3),
      row.p99Ms.toFixed(3),
      row.durability === 'sync' ? number(Math.round(row.figures['syncsPerSecond'] ?? 0)) : '-',
      number(row.figures['sendsPerWrite'] ?? 0),
      number(row.earlyReplies),
      row.load.toFixed(2),
      row.durability === 'sync' ? row.fileSystem : '',
    ]),
  )
  return [
    `${measurements[0]?.name ?? ''}: Node ${process.version}, ${machine}`,
    line(COLUMNS.map(([title]) => title)),
    ...rows,
    '',
  ].join('\n')
}
