/**
 * Reads from the closed log what became of every half message (the half itself, each check-back,
 * the decision) and which sagas have any event at all. Reads records, never a fold.
 */
import { readDecision, readEventAttributes, readHalfOpen } from '@sagalog/broker/records'
import { storedMessageStart } from '@sagalog/broker/records'
import { assert, type Clock, type Disk, type LogRecord, type RecordKind } from '@sagalog/kernel'
import { openLog } from '@sagalog/log-core'
import { decodeStoredMessage, storedTopic } from '@sagalog/protocol'
import type { HalfRecord } from './audit/evidence.js'
import { orderOfSaga, orderSaga } from './order-saga.js'
import { INTAKE_GROUP } from './topics.js'

export interface LogScanOptions {
  readonly disk: Disk
  readonly clock: Clock
  readonly directory: string
}

const KINDS: readonly RecordKind[] = ['half', 'half-open', 'decision', 'event']

interface Found {
  readonly position: number
  readonly order: number
  checks: number
  readonly decisions: string[]
}

interface Scanned {
  readonly halves: Map<number, Found>
  readonly sagaIds: Set<string>
}

export interface LogScan {
  readonly halves: readonly HalfRecord[]
  /** In the order of their first events, also those that nobody should have started. */
  readonly sagaIds: readonly string[]
}

function orderOfHalf({ source, start }: LogRecord): number {
  const body = orderSaga.inbox.decode(decodeStoredMessage(source, start).body)
  const order = 'right' in body ? orderOfSaga(body.right.sagaId) : undefined
  return order ?? 0
}

/** The saga whose stream an event stands in; undefined for an event of anybody else. */
function sagaOf(record: LogRecord): string | undefined {
  const category = storedTopic(record.source, storedMessageStart(record))
  return category === orderSaga.events.category ? readEventAttributes(record).stream : undefined
}

function evolve({ halves, sagaIds }: Scanned, record: LogRecord): void {
  if (record.kind === 'event') {
    const sagaId = sagaOf(record)
    if (sagaId !== undefined) sagaIds.add(sagaId)
  } else if (record.kind === 'half') {
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

/** Every half message and every saga of the log in `directory`, which nobody else has open. */
export async function scanLog(options: LogScanOptions): Promise<LogScan> {
  const log = await openLog(options)
  try {
    const scanned: Scanned = { halves: new Map(), sagaIds: new Set() }
    const wanted = new Set(KINDS)
    for await (const records of log.scan(log.start, { select: (kind) => wanted.has(kind) })) {
      for (const record of records) evolve(scanned, record)
    }
    return { halves: [...scanned.halves.values()], sagaIds: [...scanned.sagaIds] }
  } finally {
    await log.close()
  }
}
