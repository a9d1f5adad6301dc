/**
 * The streams: which record holds each version. Bodies only.
 * Invariant: versions are dense from 1; the list's length is the stream's version.
 */
import {
  assert,
  type Fold,
  type LogRecord,
  type Position,
  streamVersion,
  type StreamVersion,
} from '@sagalog/kernel'
import { readEventHead } from '../records/event-record.js'
import { FieldReader, FieldWriter } from '../records/fields.js'
import { PositionList } from './position-list.js'

interface Stream {
  readonly category: string
  readonly stream: string
  readonly positions: PositionList
}

const keyOf = (category: string, stream: string): string => `${category}\u0000${stream}`

export class StreamsFold implements Fold {
  readonly name = 'streams'
  readonly kinds = ['event'] as const
  private readonly streams = new Map<string, Stream>()

  /** The version of a stream; 0 when it has no event. */
  version(category: string, stream: string): StreamVersion {
    return streamVersion(this.streams.get(keyOf(category, stream))?.positions.length ?? 0)
  }

  /** Where the event with this version is. */
  positionOf(category: string, stream: string, version: StreamVersion): Position | undefined {
    const positions = this.streams.get(keyOf(category, stream))?.positions
    if (positions === undefined || version < 1 || version > positions.length) return undefined
    return positions.at(version - 1)
  }

  evolve(record: LogRecord): void {
    if (record.kind !== 'event') return
    const head = readEventHead(record)
    const stream = this.require(head.category, head.stream)
    assert(head.version === stream.positions.length + 1, 'the versions of a stream are dense')
    stream.positions.push(record.position)
  }

  *restate(): Iterable<never> {}

  needs(): Position | undefined {
    let lowest: Position | undefined
    for (const { positions } of this.streams.values()) {
      if (positions.length === 0) continue
      if (lowest === undefined || positions.at(0) < lowest) lowest = positions.at(0)
    }
    return lowest
  }

  /** Nothing is taken out of an index yet. */
  needsBody(_record: LogRecord): boolean {
    return true
  }

  *save(): Iterable<Buffer> {
    const saved: Buffer[] = []
    for (const { category, stream, positions } of this.streams.values())
      saved.push(new FieldWriter().text(category).text(stream).bytes(positions.toBytes()).done())
    yield* saved
  }

  load(chunks: Iterable<Buffer>): void {
    for (const chunk of chunks) {
      const fields = new FieldReader(chunk, 0, chunk.length)
      const stream = this.require(fields.text(), fields.text())
      stream.positions.pushBytes(chunk.subarray(fields.index))
    }
  }

  private require(category: string, stream: string): Stream {
    const key = keyOf(category, stream)
    let found = this.streams.get(key)
    if (found === undefined) {
      found = { category, stream, positions: new PositionList() }
      this.streams.set(key, found)
    }
    return found
  }
}
