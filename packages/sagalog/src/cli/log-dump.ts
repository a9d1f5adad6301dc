/**
 * `sagalog log dump DIR`: records in their order, a line each. What it prints leaves before the
 * next block is read, so neither a long log nor a slow reader fills the memory.
 */
import { position, RECORD_KINDS, type RecordKind } from '@sagalog/kernel'
import { dumpLog, type DumpedRecord } from '@sagalog/log-core'
import { InvalidArgumentError } from 'commander'
import { bodyText } from './body-text.js'
import { type CommandPorts, EXIT, type ExitCode } from './program.js'

export interface DumpFlags {
  readonly from?: number
  readonly to?: number
  readonly kind?: readonly RecordKind[]
  readonly limit?: number
  readonly bytes: number
  readonly json?: true
}

const kinds = Object.keys(RECORD_KINDS) as readonly RecordKind[]

/** For an option that may be given again: `--kind message --kind event`, or `message,event`. */
export function readKinds(text: string, before: readonly RecordKind[] = []): readonly RecordKind[] {
  const named = text.split(',').map((name) => kinds.find((kind) => kind === name.trim()))
  const known = named.filter((kind) => kind !== undefined)
  if (known.length === named.length) return [...before, ...known]
  throw new InvalidArgumentError(`Kinds are ${kinds.join(', ')}.`)
}

const HEADING = `${'position'.padStart(12)}  ${'kind'.padEnd(17)}  v  ${'bytes'.padStart(8)}  body\n`

function lineOf(record: DumpedRecord, bytesShown: number): string {
  const { position: at, kind, code, version, body } = record
  const name = (kind ?? `kind ${code}?`).padEnd(17)
  const numbers = `${version}  ${String(body.length).padStart(8)}`
  return `${String(at).padStart(12)}  ${name}  ${numbers}  ${bodyText(body, bytesShown).text}`
}

function jsonOf(record: DumpedRecord, bytesShown: number): string {
  const { position: at, kind = null, code, version, frame, epoch, body, file } = record
  const { form, text } = bodyText(body, bytesShown, 'raw')
  const fields = { position: at, kind, code, version, bytes: body.length, frame, epoch, file }
  return JSON.stringify({ ...fields, [form]: text })
}

export async function logDump(
  { terminal, disk }: CommandPorts,
  directory: string,
  flags: DumpFlags,
): Promise<ExitCode> {
  const { from, to, limit = Infinity, bytes, json = false } = flags
  const wanted = flags.kind === undefined ? undefined : new Set<string | undefined>(flags.kind)
  const lines: string[] = []
  let [left, damages] = [limit, 0]
  const bounds = {
    ...(from === undefined ? {} : { from: position(from) }),
    ...(to === undefined ? {} : { to: position(to) }),
  }
  if (!json) await terminal.print(HEADING)
  await dumpLog(
    { disk, directory, ...bounds },
    {
      record(record) {
        if (left <= 0 || (wanted !== undefined && !wanted.has(record.kind))) return
        left -= 1
        lines.push(json ? jsonOf(record, bytes) : lineOf(record, bytes))
      },
      async pause() {
        if (lines.length === 0) return left > 0
        const isRead = await terminal.print(`${lines.splice(0).join('\n')}\n`)
        return isRead && left > 0
      },
      damage({ file, position: at, reason }) {
        damages += 1
        terminal.tell(`sagalog: ${file} is damaged at position ${at}: ${reason}`)
      },
    },
  )
  return damages === 0 ? EXIT.fine : EXIT.failed
}
