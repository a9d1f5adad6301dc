/**
 * Cursors: readers that follow the tail. Each hands over what has reached its level, in order and
 * without a gap, and waits at the tail. One that waits is an object and a promise, no timer and no
 * buffer. While it is open its position is a need: nothing from there on may be let go.
 */
import { assert, type LogRecord, position, type Position } from '@sagalog/kernel'
import type { Durability, LogCursor } from './api.js'
import { LogError } from './errors.js'
import type { LogReader, Select, Slice } from './log-reader.js'

/** What a cursor asks of the log. */
export interface CursorSource {
  readonly reader: LogReader
  /** The end of what has reached the level, and of durable once the log failed. */
  readonly readableEnd: (level: Durability) => Position
  readonly failure: () => LogError | undefined
  readonly isClosed: () => boolean
}

const END = { done: true, value: undefined } as const

export class Cursors {
  readonly #source: CursorSource
  readonly #open = new Set<TailCursor>()
  /** Open ones that follow what is only sequenced. */
  #sequencedCount = 0

  constructor(source: CursorSource) {
    this.#source = source
  }

  /** Throws LogError POSITION_UNKNOWN for what the log does not hold, above as well as below. */
  open(from: Position, level: Durability, select: Select): LogCursor {
    const { reader } = this.#source
    const end = this.#source.readableEnd('memory')
    if (from < reader.start || from > end) {
      throw new LogError('POSITION_UNKNOWN', { position: from, start: reader.start, end })
    }
    const cursor: TailCursor = new TailCursor(this.#source, { from, level, select }, () => {
      this.#open.delete(cursor)
      if (level === 'memory') this.#sequencedCount -= 1
    })
    this.#open.add(cursor)
    if (level === 'memory') this.#sequencedCount += 1
    return cursor
  }

  /** The lowest position that an open cursor has still to read, or undefined without one. */
  get needed(): Position | undefined {
    let lowest: Position | undefined
    for (const cursor of this.#open) {
      if (lowest === undefined || cursor.position < lowest) lowest = cursor.position
    }
    return lowest
  }

  /** True when one follows what is only sequenced. */
  get isSequencedFollowed(): boolean {
    return this.#sequencedCount > 0
  }

  /** A watermark moved, the log failed or was closed: those who wait look again. */
  wake(): void {
    for (const cursor of this.#open) cursor.wake()
  }
}

class TailCursor implements LogCursor {
  readonly #source: CursorSource
  readonly #select: Select
  readonly #onClose: () => void
  readonly level: Durability
  /** Below it everything was handed over, or was not selected. */
  position: Position
  /** What is being read, up to its bound. */
  #slices: AsyncGenerator<Slice, void> | undefined
  #bound: Position
  /** False until the cursor has come to the end of a frame by itself. */
  #isFrameStart = false
  #isClosed = false
  #isReading = false
  #wake: (() => void) | undefined

  constructor(
    source: CursorSource,
    options: { from: Position; level: Durability; select: Select },
    onClose: () => void,
  ) {
    this.#source = source
    this.#select = options.select
    this.#onClose = onClose
    this.level = options.level
    this.position = options.from
    this.#bound = options.from
  }

  async next(): Promise<IteratorResult<readonly LogRecord[], undefined>> {
    assert(!this.#isReading, 'a cursor is asked for one slice at a time')
    this.#isReading = true
    try {
      for (;;) {
        const value = await this.#read()
        if (this.#isClosed) return END
        if (value !== undefined) return { done: false, value }
        // The tail may have moved on the way out of the read.
        if (this.#source.readableEnd(this.level) > this.position) continue
        if (this.#isAtEnd()) {
          this.close()
          return END
        }
        await this.#tailMoved()
      }
    } catch (error) {
      this.close()
      throw error
    } finally {
      this.#isReading = false
    }
  }

  /** The next records below the level, or undefined at the tail. */
  async #read(): Promise<readonly LogRecord[] | undefined> {
    const { reader, readableEnd } = this.#source
    while (!this.#isClosed) {
      if (this.#slices === undefined) {
        this.#bound = readableEnd(this.level)
        if (this.#bound <= this.position) return undefined
        const range = { from: this.position, to: this.#bound, select: this.#select }
        this.#slices = reader.slices({ ...range, isFrameStart: this.#isFrameStart })
      }
      const { value } = await this.#slices.next()
      if (value !== undefined) {
        this.#stepTo(value.next)
        return value.records
      }
      this.#slices = undefined
      this.#stepTo(this.#bound)
    }
    return undefined
  }

  #stepTo(next: Position): void {
    this.position = position(Math.max(this.position, next))
    this.#isFrameStart = true
  }

  /** At the tail: true when nothing can come any more. Throws the failure of the log. */
  #isAtEnd(): boolean {
    const failure = this.#source.failure()
    if (failure !== undefined) throw failure
    return this.#source.isClosed()
  }

  #tailMoved(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  wake(): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    // The walk holds a segment's file as long as it has not ended.
    void this.#slices?.return(undefined)
    this.#slices = undefined
    this.#onClose()
    this.wake()
  }

  return(): Promise<IteratorResult<readonly LogRecord[], undefined>> {
    this.close()
    return Promise.resolve(END)
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
