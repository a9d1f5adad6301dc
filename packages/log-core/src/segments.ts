/**
 * The row of segments: finds the one of a position, rolls to the next, and prepares that one ahead
 * in the background, because zeros, header and directory entry must be durable before a frame may
 * go there. A disk that is full shows here and nowhere else.
 *
 * The first segments leave the row when they retire, and one may be replaced by its rewritten self;
 * nothing else changes in it but its end.
 */
import { assert, type Cancel, type Clock, DiskError, position } from '@sagalog/kernel'
import type { Position, SyncMode } from '@sagalog/kernel'
import { PREPARE_RETRY_MS, SPARES_KEPT } from './limits.js'
import { createSegment, type Segment, type SegmentPlan, type SpareFile } from './segment.js'

/** What keeps a segment from being prepared now and may not later; nothing was written then. */
const PASSING: ReadonlySet<string> = new Set(['FULL', 'TOO_LARGE', 'TOO_MANY_FILES'])

export interface SegmentsOptions {
  readonly plan: SegmentPlan
  readonly clock: Clock
  readonly sync: SyncMode
  /** With frames, at least one; the last takes the next appends. */
  readonly segments: readonly Segment[]
  readonly ready: readonly Segment[]
  /** Files of retired segments, to be used again. */
  readonly spares?: readonly SpareFile[]
  /** Called when a segment became ready, or when the disk turned out to be full. */
  readonly onChange: () => void
  readonly onFailure: (error: unknown) => void
}

export class Segments {
  readonly #options: SegmentsOptions
  readonly #list: Segment[]
  /** Prepared, in order. */
  readonly #ready: Segment[]
  readonly #spares: SpareFile[]
  #preparing: Promise<void> | undefined
  #retry: Cancel | undefined
  #isFull = false
  #isClosed = false
  /** Segments that were prepared from a retired file. */
  recycled = 0

  constructor(options: SegmentsOptions) {
    assert(options.segments.length > 0, 'a log has a segment')
    this.#options = options
    this.#list = [...options.segments]
    this.#ready = [...options.ready]
    this.#spares = [...(options.spares ?? [])]
  }

  get list(): readonly Segment[] {
    return this.#list
  }

  get plan(): SegmentPlan {
    return this.#options.plan
  }

  get current(): Segment {
    const last = this.#list.at(-1)
    assert(last !== undefined, 'a log has a segment')
    return last
  }

  /** True when the last try to prepare a segment found no space. */
  get isFull(): boolean {
    return this.#isFull
  }

  get isReady(): boolean {
    return this.#ready.length > 0
  }

  /** The segment whose positions hold `at`, or undefined. */
  find(at: Position): Segment | undefined {
    const first = this.#list[0]
    if (first === undefined || at < first.base) return undefined
    return this.#list[Math.floor((at - first.base) / first.segmentBytes)]
  }

  /** Goes to the prepared segment; `contentEnd` is where the frames of the current one end. */
  roll(contentEnd: Position): Segment {
    const next = this.#ready.shift()
    assert(next !== undefined, 'a roll goes to a prepared segment')
    assert(next.base === this.current.base + this.current.segmentBytes, 'segments have no gap')
    this.current.contentEnd = contentEnd
    this.#list.push(next)
    this.prepare()
    return next
  }

  /** Takes the segments below `start` out of the row; their files are the caller's from now on. */
  retireBelow(start: Position): readonly Segment[] {
    assert(start <= this.current.base, 'the current segment stays')
    const count = this.#list.findIndex(({ base }) => base >= start)
    return this.#list.splice(0, count)
  }

  /** Puts the rewritten segment into the place of the old one, whose file is the caller's now. */
  replace(old: Segment, rewritten: Segment): void {
    const index = this.#list.indexOf(old)
    assert(index >= 0 && rewritten.base === old.base, 'a segment is replaced by its rewritten self')
    this.#list[index] = rewritten
  }

  /** True when one more file of a retired segment would be used again. */
  get wantsSpare(): boolean {
    return this.#spares.length < SPARES_KEPT
  }

  addSpare(spare: SpareFile): void {
    this.#spares.push(spare)
    if (this.#isFull) this.prepare()
  }

  /** Starts to prepare the next segment unless one is ready or on its way. */
  prepare(): void {
    if (this.#isClosed || this.isReady || this.#preparing !== undefined) return
    this.#preparing = this.#prepareNext().then(() => this.#options.onChange())
  }

  /** Prepares the next segment now; rejects when the disk is full or fails. */
  async prepareNow(): Promise<void> {
    if (!this.isReady) this.#ready.push(await this.#createNext())
  }

  async #createNext(): Promise<Segment> {
    const { plan, sync } = this.#options
    const { base, segmentBytes } = this.current
    const spare = this.#spares.shift()
    const generation = (spare?.generation ?? 0) + 1
    const header = { base: position(base + segmentBytes), generation, segmentBytes }
    const segment = await createSegment(plan, header, sync, spare)
    if (spare !== undefined) this.recycled += 1
    return segment
  }

  async #prepareNext(): Promise<void> {
    const { clock, onFailure } = this.#options
    try {
      const segment = await this.#createNext()
      this.#isFull = false
      this.#ready.push(segment)
      // In the same turn: from now on a roll may take it, and asks for the next one.
      this.#preparing = undefined
    } catch (error) {
      this.#preparing = undefined
      if (!DiskError.is(error) || !PASSING.has(error.code)) {
        onFailure(error)
        return
      }
      this.#isFull = true
      this.#retry?.()
      this.#retry = clock.after(PREPARE_RETRY_MS, () => this.prepare())
    }
  }

  /** Waits for what is being prepared, then closes all files. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#retry?.()
    await this.#preparing
    const segments = [...this.#list, ...this.#ready]
    // What counts was synced before: a handle that does not close loses nothing.
    await Promise.allSettled(segments.map(({ file }) => file.close()))
  }
}
