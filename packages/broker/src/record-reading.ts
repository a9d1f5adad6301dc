/**
 * Records at many positions, in the order asked for, as many at a time as the log reads in one go.
 * A record's bytes are looked at before the next ones are read, because they are shared.
 */
import type { LogRecord, Position } from '@sagalog/kernel'
import type { Log } from '@sagalog/log-core'

/** Hands over each record until `take` says false. */
export async function eachRecord(
  log: Pick<Log, 'readMany'>,
  positions: readonly Position[],
  take: (record: LogRecord) => boolean,
): Promise<void> {
  for (let taken = 0; taken < positions.length;) {
    const records = await log.readMany(positions, taken)
    for (const record of records) if (!take(record)) return
    taken += records.length
  }
}
