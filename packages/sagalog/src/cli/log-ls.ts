/** `sagalog log ls DIR`: a row for each segment, and a line that sums them up. */
import { inspectLog, type SegmentSummary } from '@sagalog/log-core'
import { type CommandPorts, EXIT, type ExitCode } from './program.js'
import { type Column, tableText } from './table.js'
import { bytesText, plural } from './words.js'

const COLUMNS: readonly Column[] = [
  { title: 'file' },
  { title: 'state' },
  { title: 'generation', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'first', align: 'right' },
  { title: 'end', align: 'right' },
]

function rowOf(segment: SegmentSummary): readonly string[] {
  const { file, state, isRewritten, generation, bytes, start, end } = segment
  const name = file.slice(file.lastIndexOf('/') + 1)
  return [
    name,
    isRewritten ? `${state}, rewritten` : state,
    ...[generation, bytes, start, end].map(String),
  ]
}

function totalOf(segments: readonly SegmentSummary[]): string {
  const fileBytes = segments.reduce((sum, { bytes }) => sum + bytes, 0)
  const active = segments.find(({ state }) => state === 'active')
  const end = active === undefined ? '' : `; the log ends at ${active.end}`
  return `${plural(segments.length, 'segment')}, ${bytesText(fileBytes)}${end}`
}

export async function logLs(
  { terminal, disk }: CommandPorts,
  directory: string,
  options: { readonly json?: true },
): Promise<ExitCode> {
  const segments = await inspectLog({ disk, directory })
  const damaged = segments.filter(({ state }) => state === 'damaged')
  if (options.json === true) {
    await terminal.print(`${JSON.stringify(segments, undefined, 2)}\n`)
  } else {
    await terminal.print(tableText(COLUMNS, segments.map(rowOf)))
    await terminal.print(`${totalOf(segments)}\n`)
  }
  for (const { file, reason } of damaged) terminal.tell(`sagalog: ${file} is damaged: ${reason}`)
  return damaged.length === 0 ? EXIT.fine : EXIT.failed
}
