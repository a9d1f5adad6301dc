/**
 * Reads from the closed log what became of every half message: the half itself, each check-back,
 * the decision. Reads records, never a fold.
 */
import { readDecision, readHalfOpen } from '@sagalog/broker/records'
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

const KINDS: readonly RecordKind[] = ['half', 'half-open', 'decision']

interface Found {
  readonly position: number
  readonly order: number
  checks: number
  readonly decisions: string[]
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
    const { half, checks, group } = readHalfOpen(record)
    assert(group === INTAKE_GROUP, 'every half message is of the intake')
    const found = halves.get(half)
    if (found !== undefined) found.checks = Math.max(found.checks, checks)
  } else {
    const { half, outcome } = readDecision(record)
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
