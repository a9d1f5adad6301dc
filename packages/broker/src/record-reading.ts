/**
 * Records at many positions, in the order asked for: from memory where it has them, else those that
 * stand close together by one read of the range, the others each by its own, several at once. A
 * record's bytes are looked at before the next one is read, because they may be shared.
 */
import { assert, type LogRecord, position, type Position } from '@sagalog/kernel'
import type { Log } from '@sagalog/log-core'

/** Positions of one range, at most so many bytes apart. */
const RANGE_BYTES = 256 * 1024
/** A range with fewer wanted bytes than one in so many is not worth reading whole. */
const BYTES_PER_RECORD_MAX = 4 * 1024
const RANGE_RECORDS_MIN = 4
const READS_AT_ONCE = 32

/** Hands over what `read` makes of each record until `take` says false. */
export async function eachRecord<A>(
  log: Log,
  positions: readonly Position[],
  { read, take }: { read: (record: LogRecord) => A; take: (value: A) => boolean },
): Promise<void> {
  let index = 0
  while (index < positions.length) {
    const at = positions[index]
    assert(at !== undefined, 'the index is inside the list')
    const record = log.peek(at)
    if (record !== undefined) {
      if (!take(read(record))) return
      index += 1
      continue
    }
    const end = rangeEnd(positions, index)
    const isDense = end - index >= RANGE_RECORDS_MIN
    const wanted = positions.slice(index, isDense ? end : index + READS_AT_ONCE)
    const values = isDense
      ? await readRange(log, wanted, read)
      : await Promise.all(wanted.map(async (one) => read(log.peek(one) ?? (await log.read(one)))))
    for (const value of values) if (!take(value)) return
    index += wanted.length
  }
}

/** One past the last position that lies close behind, or before, the one at `first`. */
function rangeEnd(positions: readonly Position[], first: number): number {
  const from = positions[first] ?? 0
  let end = first + 1
  for (; end < positions.length; end += 1) {
    const bytes = Math.abs((positions[end] ?? 0) - from)
    if (bytes > RANGE_BYTES || bytes > (end - first + 1) * BYTES_PER_RECORD_MAX) break
  }
  return end
}

async function readRange<A>(
  log: Log,
  wanted: readonly Position[],
  read: (record: LogRecord) => A,
): Promise<A[]> {
  const left = new Set<number>(wanted)
  const found = new Map<number, A>()
  const [low, high] = [Math.min(...wanted), Math.max(...wanted)]
  const options = { to: position(high + 1), select: (kind: string) => kind === 'event' }
  for await (const records of log.scan(position(low), options))
    for (const record of records)
      if (left.delete(record.position)) found.set(record.position, read(record))
  const values: A[] = []
  for (const at of wanted) {
    // What a scan does not give is read for itself, and says why it can't be.
    if (!found.has(at)) found.set(at, read(await log.read(at)))
    values.push(found.get(at) as A)
  }
  return values
}
