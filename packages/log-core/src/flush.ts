/**
 * The writer: one write in flight, the next region gathers meanwhile. It owns the written and the
 * durable watermark; they move only after a call of the disk completed. The first write or sync
 * that fails is final: the watermarks stay where they are for ever.
 *
 * Invariant: a write to a segment starts only when all bytes of earlier segments are durable.
 */
import { assert, type Cancel, type Clock, DiskError, type Hops } from '@sagalog/kernel'
import { position, type Position } from '@sagalog/kernel'
import type { Durability } from './api.js'
import { LogError } from './errors.js'
import { frameBytes, sealFrame } from './frame-format.js'
import type { Gather, Slab } from './gather.js'
import { IDLE_MS, SYNC_BEHIND_MS, WRITE_AT_ONCE_BYTES } from './limits.js'
import type { Segment } from './segment.js'
import { Waiters } from './waiters.js'

export interface FlushOptions {
  readonly gather: Gather
  readonly clock: Clock
  readonly hops: Hops
  /** True when files are written without syncing each write. */
  readonly isOnDemand: boolean
  /** The segment and the end that recovery left. */
  readonly segment: Segment
  readonly end: Position
  /** Appends an empty frame when there is room for one. */
  readonly appendProof: () => void
  /** Called after a watermark moved and after the failure. */
  readonly onAdvance: () => void
}

export class Flush {
  readonly #options: FlushOptions
  /** Where the last write went. */
  #segment: Segment
  #written: Position
  #durable: Position
  #failure: LogError | undefined
  /** True from the first append on until nothing is left to write. */
  #isBusy = false
  #isStopped = false
  #syncing: Promise<void> | undefined
  /** True while a sync is on its way because somebody waits for it. */
  #isSyncWanted = false
  /** True while a region is being written. */
  #isInFlight = false
  /** True while a write is planned for the end of the turn. */
  #isPlanned = false
  /** The region that is being written. */
  #writing: Promise<void> | undefined
  #proof: Cancel | undefined
  readonly #forWritten = new Waiters()
  readonly #forDurable = new Waiters()
  writes = 0
  syncs = 0
  bytes = 0

  constructor(options: FlushOptions) {
    this.#options = options
    this.#segment = options.segment
    this.#written = options.end
    this.#durable = options.end
  }

  get failure(): LogError | undefined {
    return this.#failure
  }

  watermark(level: Durability): Position {
    if (level === 'memory') return this.#options.gather.end
    return level === 'os' ? this.#written : this.#durable
  }

  /** Resolves with `value` once the level has reached `end`. */
  waitFor<T>(end: Position, level: Durability, value: T): Promise<T> {
    assert(end <= this.#options.gather.end, 'only what was appended is waited for')
    if (end <= this.watermark(level)) return Promise.resolve(value)
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    if (level === 'os') return this.#forWritten.wait(end, value)
    const waiting = this.#forDurable.wait(end, value)
    this.#syncWanted()
    return waiting
  }

  /**
   * Sees to it that what was appended gets written: after this turn, so that all its appends share
   * a write, or at once when there is enough for one, so that the disk works beside the rest.
   */
  wake(): void {
    if (this.#isInFlight || this.#failure !== undefined) return
    this.#isBusy = true
    const slab = this.#enough(WRITE_AT_ONCE_BYTES)
    if (slab === undefined) this.#planWrite()
    else this.#start(slab)
  }

  #planWrite(): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    this.#options.clock.defer(() => {
      this.#isPlanned = false
      if (this.#isInFlight || this.#failure !== undefined) return
      const slab = this.#options.gather.nextRegion()
      if (slab === undefined) this.#isBusy = false
      else this.#start(slab)
    })
  }

  /** The next region when at least so many bytes wait to be written. */
  #enough(bytes: number): Slab | undefined {
    const { gather } = this.#options
    return gather.inFlightBytes >= bytes ? gather.nextRegion() : undefined
  }

  #start(slab: Slab): void {
    this.#isInFlight = true
    this.#writing = this.#writeRegion(slab).then(
      () => this.#afterWrite(),
      (error: unknown) => this.fail(error),
    )
  }

  #afterWrite(): void {
    this.#isInFlight = false
    if (this.#failure !== undefined) return
    const { gather, onAdvance } = this.#options
    // Before those who waited are told: what they append next has the time of this write.
    const slab = this.#enough(WRITE_AT_ONCE_BYTES / 2)
    if (slab !== undefined) this.#start(slab)
    this.#forWritten.release(this.#written)
    this.#forDurable.release(this.#durable)
    onAdvance()
    this.#planProof()
    this.#syncWanted()
    if (this.#isInFlight) return
    if (gather.nextRegion() === undefined) this.#isBusy = false
    else this.#planWrite()
  }

  async #writeRegion(slab: Slab): Promise<void> {
    const { gather, hops, isOnDemand } = this.#options
    const { buffer, base, segment, written: from, used: to } = slab
    if (segment !== this.#segment) {
      if (isOnDemand) await this.#syncFile()
      if (this.#failure !== undefined) return
      assert(this.#durable === this.#written, 'a new segment follows durable bytes')
      this.#segment = segment
    }
    for (let at = from; at < to; at += frameBytes(buffer, at)) sealFrame(buffer, at, this.#durable)
    hops.reach('log.flush')
    const place = segment.places.placeOf(position(base + from))
    assert(place !== undefined, 'a segment has a place for what is appended')
    for (let done = from; done < to;) {
      done += await segment.file.write(buffer.subarray(done, to), place + (done - from))
      this.writes += 1
    }
    // The instance may have failed elsewhere meanwhile; its watermarks stand still.
    if (this.#failure !== undefined) return
    this.bytes += to - from
    if (!isOnDemand) this.syncs += 1
    hops.reach('log.durable')
    gather.markWritten(slab, to)
    this.#written = position(base + to)
    if (!isOnDemand) this.#durable = this.#written
  }

  #advanceDurable(to: Position): void {
    if (to <= this.#durable) return
    this.#durable = to
    this.#forDurable.release(to)
  }

  /** Syncs the file written last; what was written when it started is durable then. */
  #syncFile(): Promise<void> {
    const target = this.#written
    const { file } = this.#segment
    const before = this.#syncing ?? Promise.resolve()
    const syncing = before.then(async () => {
      if (target <= this.#durable) return
      await file.sync()
      // As after a write: nothing moves once the instance has failed.
      if (this.#failure !== undefined) return
      this.syncs += 1
      this.#advanceDurable(target)
    })
    this.#syncing = syncing
    return syncing
  }

  /** Syncs beside the writes. */
  async syncBehind(): Promise<void> {
    if (this.#failure !== undefined || this.#durable === this.#written) return
    try {
      await this.#syncFile()
    } catch (error) {
      this.fail(error)
      return
    }
    this.#options.onAdvance()
  }

  /** Syncs what somebody waits for, beside the writes: all who wait meanwhile share the next. */
  #syncWanted(): void {
    const { next } = this.#forDurable
    if (!this.#options.isOnDemand || this.#isSyncWanted) return
    if (next === undefined || next > this.#written) return
    this.#isSyncWanted = true
    void this.syncBehind().finally(() => {
      this.#isSyncWanted = false
      this.#syncWanted()
    })
  }

  /** When appends have ended for a while: sync what is behind, then prove the tail. */
  #planProof(): void {
    const { gather, clock, isOnDemand } = this.#options
    const isDone = gather.isTailProof && this.#durable === this.#written
    if (this.#proof !== undefined || this.#isStopped || isDone) return
    const framesSeen = gather.frames
    this.#proof = clock.after(isOnDemand ? SYNC_BEHIND_MS : IDLE_MS, () => {
      this.#proof = undefined
      void this.#prove(framesSeen)
    })
  }

  async #prove(framesSeen: number): Promise<void> {
    const { gather, appendProof } = this.#options
    if (this.#options.isOnDemand) await this.syncBehind()
    if (this.#failure !== undefined || this.#isStopped) return
    const isQuiet = gather.frames === framesSeen && !this.#isBusy
    if (isQuiet && !gather.isTailProof) appendProof()
    else this.#planProof()
  }

  /** Ends this instance: nothing is written or acknowledged any more. */
  fail(cause: unknown): void {
    if (this.#failure !== undefined) return
    const reason = cause instanceof Error ? cause.message : String(cause)
    const isDisk = DiskError.is(cause)
    const detail = { file: this.#segment.path, reason, position: this.#durable, isDisk }
    this.#failure = new LogError('FLUSH_FAILED', detail, { cause })
    this.#isBusy = false
    this.stop()
    this.#forWritten.rejectAll(this.#failure)
    this.#forDurable.rejectAll(this.#failure)
    this.#options.onAdvance()
  }

  /** Plans nothing any more; what was appended is still written. */
  stop(): void {
    this.#isStopped = true
    this.#proof?.()
    this.#proof = undefined
  }

  /** Resolves once no call to the disk is on its way; none starts after a failure or `finish`. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#writing, this.#syncing])
  }

  /** Writes and syncs all that was appended, and proves the tail. */
  async finish(): Promise<void> {
    this.stop()
    await this.drain()
    if (!this.#options.gather.isTailProof) this.#options.appendProof()
    await this.drain()
  }

  /** Resolves once all that was appended is durable. */
  async drain(): Promise<void> {
    const { gather, isOnDemand } = this.#options
    await this.waitFor(gather.end, 'os', undefined)
    if (isOnDemand) await this.syncBehind()
    if (this.#failure !== undefined) throw this.#failure
  }
}
