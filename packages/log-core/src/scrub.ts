/**
 * Scrubs the log: reads what nobody has read for long, and verifies every byte of it. A sealed
 * segment is held against the checksum over its whole file, so a single flipped bit is found
 * wherever it is, also where no record stands. It never repairs: only a seal, which is computed
 * from the rest, is written anew.
 */
import { type Clock, position, type Position } from '@sagalog/kernel'
import { LogError } from './errors.js'
import { CHECK_BYTES_PER_SECOND } from './limits.js'
import { type Pace, pace } from './pace.js'
import { checkSegment, contentsOf, isSealIntact } from './segment-check.js'
import { type DamagedRange, enter, leave, noteDamage, type Segment } from './segment.js'
import { unreadable } from './segment.js'
import type { Segments } from './segments.js'

export interface ScrubOptions {
  /** How fast at most. Default 64 MiB. */
  readonly bytesPerSecond?: number
  /** Called after each segment. */
  readonly onSegment?: (scrubbed: ScrubbedSegment) => void
}

/** A scrub that is begun again and again while the log is open. */
export interface ScrubPlan extends ScrubOptions {
  /** From the end of one to the beginning of the next. Milliseconds. */
  readonly everyMs: number
  readonly onReport?: (report: ScrubReport) => void
}

export interface ScrubbedSegment {
  readonly file: string
  readonly base: Position
  readonly bytes: number
  readonly damage: DamagedRange | undefined
  /** Its seal did not verify, though everything else did, and was written anew. */
  readonly isResealed: boolean
}

export interface ScrubReport {
  readonly segments: number
  readonly bytes: number
  readonly damaged: readonly DamagedRange[]
  readonly resealed: number
  /** False when it was stopped before it came to the end. */
  readonly isComplete: boolean
  readonly durationMs: number
}

export interface Scrubbing {
  /** Rejects with the failure of the log when a seal could not be written anew. */
  readonly done: Promise<ScrubReport>
  stop(): void
}

export interface ScrubParts {
  readonly segments: Segments
  readonly clock: Clock
  /** Frames below it can be verified in the segment that is still written. */
  readonly durable: () => Position
  /** Where the frames of a closed segment end; rejects with CORRUPT. */
  readonly contentEndOf: (segment: Segment) => Promise<Position>
  /** Writes the seal of a segment anew. */
  readonly reseal: (segment: Segment) => Promise<void>
}

export function scrub(parts: ScrubParts, options: ScrubOptions): Scrubbing {
  const paced = pace(parts.clock, options.bytesPerSecond ?? CHECK_BYTES_PER_SECOND)
  return { done: scrubAll(parts, options, paced), stop: () => paced.stop() }
}

async function scrubAll(
  parts: ScrubParts,
  { onSegment }: ScrubOptions,
  paced: Pace,
): Promise<ScrubReport> {
  const startedMs = parts.clock.monotonicMs()
  const damaged: DamagedRange[] = []
  let [segments, bytes, resealed] = [0, 0, 0]
  for (let base = parts.segments.list[0]?.base; base !== undefined;) {
    const segment = parts.segments.find(base)
    if (segment === undefined) break
    const scrubbed = await scrubSegment(parts, segment, paced)
    if (scrubbed === undefined) break
    segments += 1
    bytes += scrubbed.bytes
    resealed += scrubbed.isResealed ? 1 : 0
    if (scrubbed.damage !== undefined) damaged.push(scrubbed.damage)
    onSegment?.(scrubbed)
    base = segment === parts.segments.current ? undefined : nextBase(parts.segments, segment)
  }
  const durationMs = parts.clock.monotonicMs() - startedMs
  return { segments, bytes, damaged, resealed, isComplete: !paced.isStopped, durationMs }
}

/** Some segments may have retired meanwhile. */
function nextBase({ list }: Segments, { base, segmentBytes }: Segment): Position {
  return position(Math.max(base + segmentBytes, list[0]?.base ?? 0))
}

async function scrubSegment(
  parts: ScrubParts,
  segment: Segment,
  paced: Pace,
): Promise<ScrubbedSegment | undefined> {
  try {
    return await verifySegment(parts, segment, paced)
  } catch (error) {
    const damage = unreadable(segment, error)
    noteDamage(segment, damage)
    const { path: file, base, places } = segment
    return { file, base, bytes: places.fileBytes, damage, isResealed: false }
  }
}

async function verifySegment(
  parts: ScrubParts,
  segment: Segment,
  paced: Pace,
): Promise<ScrubbedSegment | undefined> {
  enter(segment)
  try {
    const { path: file, base } = segment
    const isClosed = segment !== parts.segments.current
    const row = { file, base, bytes: segment.places.fileBytes, isResealed: false }
    const isSealed = segment.seal !== undefined
    if (isSealed && (await contentsOf(segment, paced)) === segment.seal?.contents) {
      if (await isSealIntact(segment)) return { ...row, damage: undefined }
      await parts.reseal(segment)
      return { ...row, damage: undefined, isResealed: true }
    }
    if (paced.isStopped) return undefined
    const known = segment.damage[0]
    const end = isClosed ? await endOf(parts, segment) : parts.durable()
    if (end === undefined) return { ...row, damage: known }
    const checked = await checkSegment(segment, end, paced, isClosed)
    if (checked === undefined) return undefined
    const damage = checked.damage ?? known ?? (isSealed ? unlikeSeal(segment) : undefined)
    if (damage !== undefined) noteDamage(segment, damage)
    return { ...row, damage }
  } finally {
    leave(segment)
  }
}

/** Undefined when the next segment, which knows it, is damaged: that is found there. */
async function endOf(parts: ScrubParts, segment: Segment): Promise<Position | undefined> {
  try {
    return await parts.contentEndOf(segment)
  } catch (error) {
    if (LogError.is(error) && error.code === 'CORRUPT') return undefined
    throw error
  }
}

/** Each part verifies by itself, and yet the whole is not what it was. */
function unlikeSeal({ path: file, base, first }: Segment): DamagedRange {
  return { file, from: base, to: first, reason: 'the checksum over the segment is wrong' }
}
