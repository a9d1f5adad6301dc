/**
 * Seals segments once they are closed: verifies all of one, then writes the checksum over its file
 * behind it. One segment at a time, oldest first, at a bounded pace; what a crash leaves unsealed
 * is sealed after the next opening.
 *
 * Invariant: a segment is sealed only when the next one has a durable frame.
 */
import { type Clock, DiskError, type Position } from '@sagalog/kernel'
import { LogError } from './errors.js'
import { type Pace, pace } from './pace.js'
import { encodeSeal, type Seal } from './seal-format.js'
import { checkSegment, contentsOf } from './segment-check.js'
import { enter, leave, noteDamage, type Segment, unreadable, writeFully } from './segment.js'
import type { Segments } from './segments.js'

export interface SealerOptions {
  readonly segments: Segments
  readonly clock: Clock
  /** Where the frames of a closed segment end; rejects with CORRUPT. */
  readonly contentEndOf: (segment: Segment) => Promise<Position>
  readonly durable: () => Position
  /** How fast segments are read at most; 0: none is sealed. */
  readonly sealBytesPerSecond: number
  /** A write or a sync of a seal failed. */
  readonly onFailure: (error: unknown) => void
}

export class Sealer {
  readonly #options: SealerOptions
  readonly #pace: Pace
  /** Segments that can not be sealed: damaged, or on a full disk. */
  readonly #passedOver = new WeakSet<Segment>()
  /** Nothing can be sealed before the durable watermark is above it. */
  #sealableAbove = 0
  #sealing: Promise<void> | undefined

  constructor(options: SealerOptions) {
    this.#options = options
    this.#pace = pace(options.clock, Math.max(1, options.sealBytesPerSecond))
    if (options.sealBytesPerSecond === 0) this.#pace.stop()
  }

  /** Closed segments without a seal. */
  get unsealed(): number {
    return this.#options.segments.list.slice(0, -1).filter(({ seal }) => seal === undefined).length
  }

  /** Something became durable, or the row of segments changed. */
  wake(): void {
    if (this.#sealing !== undefined || this.#pace.isStopped) return
    if (this.#options.durable() <= this.#sealableAbove) return
    const segment = this.#next()
    if (segment === undefined) return
    this.#sealing = this.#seal(segment).then(
      () => {
        this.#sealing = undefined
        this.wake()
      },
      (error: unknown) => {
        this.stop()
        this.#options.onFailure(error)
      },
    )
  }

  /** The oldest that can be sealed; without one, from when on there may be one. */
  #next(): Segment | undefined {
    const { segments, durable } = this.#options
    for (const [index, segment] of segments.list.entries()) {
      if (segment.seal !== undefined || this.#passedOver.has(segment)) continue
      const after = segments.list[index + 1]
      // Of the current one: nothing to do before the next roll.
      this.#sealableAbove = after?.first ?? segment.first + segment.segmentBytes
      return durable() > this.#sealableAbove && after !== undefined ? segment : undefined
    }
    return undefined
  }

  async #seal(segment: Segment): Promise<void> {
    enter(segment)
    try {
      const seal = await this.#sealOf(segment)
      if (seal === undefined) this.#passedOver.add(segment)
      else await writeSeal(segment, seal)
    } catch (error) {
      // The next segment is damaged, or a file of an earlier version has no room for its seal.
      const isPassedOver = LogError.is(error) || (DiskError.is(error) && error.code === 'FULL')
      if (!isPassedOver) throw error
      this.#passedOver.add(segment)
    } finally {
      leave(segment)
    }
  }

  async #sealOf(segment: Segment): Promise<Seal | undefined> {
    const { clock, contentEndOf } = this.#options
    const closedMs = clock.wallMs()
    try {
      return await sealOf(segment, { end: await contentEndOf(segment), closedMs }, this.#pace)
    } catch (error) {
      noteDamage(segment, unreadable(segment, error))
      return undefined
    }
  }

  stop(): void {
    this.#pace.stop()
  }

  /** Resolves once nothing is on its way to the disk any more. */
  async settled(): Promise<void> {
    await this.#sealing
  }
}

/** Undefined when the segment is damaged, which is noted in it, or when the pace was stopped. */
async function sealOf(
  segment: Segment,
  { end, closedMs }: Pick<Seal, 'end' | 'closedMs'>,
  paced: Pace,
): Promise<Seal | undefined> {
  const checked = await checkSegment(segment, end, paced, true)
  if (checked === undefined) return undefined
  if (checked.damage !== undefined) {
    noteDamage(segment, checked.damage)
    return undefined
  }
  const contents = await contentsOf(segment, paced)
  if (contents === undefined) return undefined
  const { frames, records, epoch } = checked
  return { end, closedMs, frames, records, epoch, contents }
}

/** Durable when it resolves; a crash in the middle leaves a seal that does not verify, or none. */
export async function writeSeal(segment: Segment, seal: Seal): Promise<void> {
  await writeFully(segment.file, encodeSeal(segment, seal), segment.places.fileBytes)
  await segment.file.sync()
  segment.seal = seal
}
