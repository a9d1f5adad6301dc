/**
 * Remembers every record that brokers on one disk appended, so that what a log let go can still be
 * judged. What a crash took back is forgotten when the next broker opens: it ends before it.
 */
import type { Broker } from '@sagalog/broker'
import type { LogRecord } from '@sagalog/kernel'
import type { LiveBroker } from '../../packages/broker/src/broker.js'

export class Archive {
  /** By position, in the order of the log. */
  #records: LogRecord[] = []

  /** To be called in the turn in which a broker has opened. */
  follow(broker: Broker): void {
    const { log } = (broker as unknown as LiveBroker).core
    const end = log.watermark('memory')
    this.#records = this.#records.filter(({ position }) => position < end)
    log.onAppend((records) => {
      for (const { end: to, kind, position, source, start, version } of records) {
        const bytes = Buffer.from(source.subarray(start, to))
        const kept = { kind, version, position, source: bytes, start: 0, end: bytes.length }
        this.#records.push(kept)
      }
    })
  }

  /** What the log had below a position, and does not have any more. */
  goneBelow(limit: number, isThere: ReadonlySet<number>): LogRecord[] {
    return this.#records.filter(({ position }) => position < limit && !isThere.has(position))
  }
}
