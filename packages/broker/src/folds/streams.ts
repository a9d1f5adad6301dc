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
import { PositionList } from './position-list.js'
import { loadLists, saveLists } from './saved-lists.js'

/** One object and not two: there are millions of them. */
export class Stream extends PositionList {
  readonly stream: string

  constructor(stream: string) {
    super()
    this.stream = stream
  }
}

interface Category {
  readonly streams: Map<string, Stream>
  /** In the order of their first events. */
  readonly inOrder: Stream[]
}

const NO_STREAMS: readonly Stream[] = []

export class StreamsFold implements Fold {
  readonly name = 'streams'
  readonly kinds = ['event'] as const
  private readonly categories = new Map<string, Category>()
  /** The one asked for last: most who come one after the other want the same. */
  private last: { readonly name: string; readonly category: Category } | undefined
  /** Told of each event that got its place; set once the broker lives. */
  onAppend: (category: string) => void = () => undefined

  /** The version of a stream; 0 when it has no event. */
  version(category: string, stream: string): StreamVersion {
    return streamVersion(this.find(category, stream)?.length ?? 0)
  }

  /** Where the events are: that of version 1 at index 0. Undefined for a stream without any. */
  positionsOf(category: string, stream: string): PositionList | undefined {
    return this.find(category, stream)
  }

  /** The streams of a category in the order of their first events. */
  all(category: string): readonly Stream[] {
    return this.categories.get(category)?.inOrder ?? NO_STREAMS
  }

  evolve(record: LogRecord): void {
    if (record.kind !== 'event') return
    const head = readEventHead(record)
    const stream = this.require(head.category, head.stream)
    assert(head.version === stream.length + 1, 'the versions of a stream are dense')
    stream.push(record.position)
    this.onAppend(head.category)
  }

  *restate(): Iterable<never> {}

  needs(): Position | undefined {
    // Streams of a category stand in the order of their first events, in a checkpoint too.
    let lowest: Position | undefined
    for (const { inOrder } of this.categories.values()) {
      const first = inOrder[0]?.at(0)
      if (first !== undefined && (lowest === undefined || first < lowest)) lowest = first
    }
    return lowest
  }

  /** Nothing is taken out of an index yet. */
  needsBody(_record: LogRecord): boolean {
    return true
  }

  save(end: Position): Iterator<Buffer> {
    return saveLists(this.everyStream(), {
      end,
      head(writer, { category, positions }) {
        writer.text(category)
        writer.text(positions.stream)
      },
    })
  }

  load(chunk: Buffer): void {
    loadLists(chunk, (head) => this.require(head.text(), head.text()))
  }

  *everyStream(): Generator<{ readonly category: string; readonly positions: Stream }, void> {
    for (const [category, { inOrder }] of this.categories)
      for (const positions of inOrder) yield { category, positions }
  }

  private find(category: string, stream: string): Stream | undefined {
    return this.categories.get(category)?.streams.get(stream)
  }

  private require(name: string, stream: string): Stream {
    const category = this.last?.name === name ? this.last.category : this.requireCategory(name)
    let found = category.streams.get(stream)
    if (found === undefined) {
      found = new Stream(stream)
      category.streams.set(stream, found)
      category.inOrder.push(found)
    }
    return found
  }

  private requireCategory(name: string): Category {
    const category = this.categories.get(name) ?? { streams: new Map(), inOrder: [] }
    this.categories.set(name, category)
    this.last = { name, category }
    return category
  }
}
