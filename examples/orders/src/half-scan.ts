/**
 * Reads from the closed log what became of every half message: the half itself, each check-back, the
 * decision. Reads records, never a fold. Layouts: numbers are eight bytes, texts have two bytes of length
 * before them, both in network order.
 */
import { assert, type Clock, type Disk, type LogRecord, type RecordKind } from '@sagalog/kernel'
import { openLog } from '@sagalog/log-core'
import { decodeStoredMessage } from '@sagalog/protocol'
import type { HalfRecord } from './audit/evidence.js'
import { orderOfSaga, orderSaga } from './order-saga.js'
import { INTAKE_GROUP } from './topics.js'

export interface HalfScanOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly directory: string
}

const NUMBER_BYTES = 8
const KINDS: readonly RecordKind[] = ['half', 'half-open', 'decision']

interface Found {
  readonly position: number
  readonly order: number
  checks: number
  readonly decisions: string[]
}

function numberAt({ source, start }: LogRecord, at: number): number {
  return Number(source.readBigUInt64BE(start + at))
}

function textAt({ source, start }: LogRecord, at: number): { text: string; next: number } {
  const begin = start + at + 2
  const length = source.readUInt16BE(start + at)
  return { text: source.toString('utf8', begin, begin + length), next: at + 2 + length }
}

/** `decision`: half, outcome. */
function decisionOf(record: LogRecord): { half: number; outcome: string } {
  return { half: numberAt(record, 0), outcome: textAt(record, NUMBER_BYTES).text }
}

/** `half-open`: half, group, transaction id, stored at, checks, parked. */
function checksOf(record: LogRecord): { half: number; checks: number } {
  const group = textAt(record, NUMBER_BYTES)
  assert(group.text === INTAKE_GROUP, 'every half message is of the intake')
  const transaction = textAt(record, group.next)
  return { half: numberAt(record, 0), checks: numberAt(record, transaction.next + NUMBER_BYTES) }
}

function orderOfHalf({ source, start }: LogRecord): number {
  const body = orderSaga.inbox.decode(decodeStoredMessage(source, start).body)
  const order = 'right' in body ? orderOfSaga(body.right.sagaId) : undefined
  return order ?? 0
}

function evolve(halves: Map<number, Found>, record: LogRecord): void {
  if (record.kind === 'half') {
    const { position } = record
    halves.set(position, { position, order: orderOfHalf(record), checks: 0, decisions: [] })
  } else if (record.kind === 'half-open') {
    const { half, checks } = checksOf(record)
    const found = halves.get(half)
    if (found !== undefined) found.checks = Math.max(found.checks, checks)
  } else {
    const { half, outcome } = decisionOf(record)
    halves.get(half)?.decisions.push(outcome)
  }
}

/** Every half message of the log in `directory`, which nobody else may have open. */
export async function scanHalves(options: HalfScanOptions): Promise<readonly HalfRecord[]> {
  const log = await openLog(options)
  try {
    const halves = new Map<number, Found>()
    const wanted = new Set(KINDS)
    for await (const records of log.scan(log.start, { select: (kind) => wanted.has(kind) })) {
      for (const record of records) evolve(halves, record)
    }
    return [...halves.values()]
  } finally {
    await log.close()
  }
}
