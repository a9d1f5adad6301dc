/**
 * Remembers every record that brokers on one disk appended, so that what a log let go can still be
 * judged. What a crash took back is forgotten when the next broker opens: the log that it found
 * ends within its frame or before. Each start writes an empty frame, so starts that did not get
 * as far as serving have moved the end over the beginning of a frame that is gone.
 */
import type { Broker } from '@sagalog/broker'
import type { LogRecord } from '@sagalog/kernel'
import type { LiveBroker } from '../../packages/broker/src/broker.js'

interface Archived {
  readonly record: LogRecord
  /** Where the last record of its frame ends. */
  readonly frameEnd: number
}

export class Archive {
  /** By position, in the order of the log. */
  #archived: Archived[] = []

  /** To be called in the turn in which a broker has opened. */
  follow(broker: Broker): void {
    const { log } = (broker as unknown as LiveBroker).core
    const { end } = log.report
    this.#archived = this.#archived.filter(({ frameEnd }) => frameEnd <= end)
    log.onAppend((records) => {
      const last = records.at(-1)
      if (last === undefined) return
      const frameEnd = last.position + last.end - last.start
      for (const { end: to, kind, position, source, start, version } of records) {
        const bytes = Buffer.from(source.subarray(start, to))
        const record = { kind, version, position, source: bytes, start: 0, end: bytes.length }
        this.#archived.push({ record, frameEnd })
      }
    })
  }

  /** What the log had below a position, and does not have any more. */
  goneBelow(limit: number, isThere: ReadonlySet<number>): LogRecord[] {
    return this.#archived
      .map(({ record }) => record)
      .filter(({ position }) => position < limit && !isThere.has(position))
  }
}
