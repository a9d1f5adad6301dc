/**
 * Verifies a whole log from outside: every header, every byte of every frame, the checksum over the
 * whole file of each sealed segment, and that the segments join without a gap. It changes nothing
 * and needs no lock, so it may run beside the owner; then it answers for the log as it was when it
 * began. All damage is told, not only the first.
 *
 * What stands behind the end and was never proven durable is no damage: the owner is writing it, or
 * a crash left it, and the next opening decides as `recovery.ts` does.
 */
import { type Disk, position, type Position } from '@sagalog/kernel'
import { checksum } from './checksum.js'
import { READ_BLOCK_BYTES } from './limits.js'
import { closedAs, closedEnd, isStillThere, type LogFiles, openLogFiles } from './log-files.js'
import { identityPlaces, type PlacesOf } from './places.js'
import { endOfLog, faultOf, type SegmentWalk, walkSegment } from './segment-walk.js'
import { pathOf, readFully, type Segment } from './segment.js'

export interface VerifyOptions {
  readonly disk: Disk
  readonly directory: string
  readonly places?: PlacesOf
  /** Called now and then with the bytes of log verified, of about so many in all. */
  readonly onProgress?: (bytes: number, of: number) => void
}

export interface Damage {
  readonly file: string
  readonly position: Position
  readonly reason: string
}

export interface Verdict {
  /** Nothing that was ever proven durable is damaged. */
  readonly isWhole: boolean
  readonly damages: readonly Damage[]
  readonly segments: number
  readonly frames: number
  readonly records: number
  /** Positions that were verified. */
  readonly bytes: number
  /** Where the first record may stand. */
  readonly start: Position
  /** The end of the last frame. */
  readonly end: Position
  /** The highest durable watermark that a frame carries. */
  readonly watermark: Position
}

/**
 * Rejects with LogError NO_LOG, FORMAT_UNSUPPORTED or IO; damage is a value. Memory does not grow
 * with the length of the log.
 */
export async function verifyLog(options: VerifyOptions): Promise<Verdict> {
  const { disk, directory, places = identityPlaces, onProgress = () => {} } = options
  const log = await openLogFiles({ disk, directory, places })
  try {
    const verifier = new Verifier({ log, disk, directory, onProgress })
    for (const index of log.segments.keys()) await verifier.verify(index)
    return verifier.verdict()
  } finally {
    await log.close()
  }
}

interface VerifierParts {
  readonly log: LogFiles
  readonly disk: Disk
  readonly directory: string
  readonly onProgress: (bytes: number, of: number) => void
}

class Verifier {
  readonly #parts: VerifierParts
  readonly #damages: Damage[] = []
  readonly #total: number
  /** Of the segment before. */
  #epoch = 0
  #end: Position
  #frames = 0
  #records = 0
  #bytes = 0
  #watermark = 0

  constructor(parts: VerifierParts) {
    this.#parts = parts
    const { segments, active, damage } = parts.log
    this.#total = segments
      .slice(0, active + 1)
      .reduce((sum, { segmentBytes }) => sum + segmentBytes, 0)
    this.#end = startOf(parts.log)
    for (const { file, from, reason } of damage) this.#damage(file, from, reason)
  }

  #damage(file: string, at: number, reason: string): void {
    this.#damages.push({ file, position: position(at), reason })
  }

  async verify(index: number): Promise<void> {
    const { log, disk, onProgress } = this.#parts
    const segment = log.segments[index]
    if (segment === undefined || index > log.active || isAbsent(segment)) return
    const isActive = index === log.active
    const to = closedEnd(log, index)
    const before = this.#bytes
    const walk = await walkSegment(segment, isActive ? closedAs(segment)?.end : to, {
      pause: (reached) => {
        onProgress(before + (reached - segment.base), this.#total)
        return Promise.resolve(true)
      },
    })
    const found: Damage[] = []
    const first = log.firstFrames[index]?.epoch ?? walk.epoch
    if (walk.frames > 0 && first < this.#epoch) {
      const reason = 'the frame belongs to an earlier opening'
      found.push({ file: segment.path, position: segment.first, reason })
    }
    const end = isActive ? this.#active(segment, walk, found) : closed(segment, walk, to, found)
    if (found.length === 0) await checkSeal(segment, found)
    // The owner may have retired it under us, and its file may be another segment's by now.
    const counts = found.length === 0 || (await isStillThere(disk, segment))
    if (counts) this.#damages.push(...found.filter((damage) => !isKnown(segment, damage)))
    this.#epoch = Math.max(this.#epoch, closedAs(segment)?.epoch ?? walk.epoch)
    this.#frames += walk.frames
    this.#records += walk.records
    this.#watermark = Math.max(this.#watermark, walk.watermark)
    this.#end = end
    this.#bytes = before + (end - segment.base)
  }

  /** Below the highest watermark a gap is damage. */
  #active(segment: Segment, walk: SegmentWalk, found: Damage[]): Position {
    const file = segment.path
    const end = endOfLog(walk)
    const why = `yet ${walk.watermark} was durable`
    for (const { from, reason } of walk.gaps) {
      if (from < end) found.push({ file, position: from, reason: `${reason}, ${why}` })
    }
    if (end < walk.watermark) {
      found.push({ file, position: end, reason: `${walk.stop}, ${why}` })
    }
    // A closed segment has a next one with a durable frame.
    if (closedAs(segment) !== undefined && this.#parts.log.damage.length === 0) {
      const next = position(segment.base + segment.segmentBytes)
      const reason = 'it is missing or has no frame, yet the segment before it is closed'
      found.push({ file: pathOf(this.#parts.directory, next), position: next, reason })
    }
    return end
  }

  verdict(): Verdict {
    const { log, onProgress } = this.#parts
    onProgress(this.#total, this.#total)
    return {
      isWhole: this.#damages.length === 0,
      damages: this.#damages.toSorted((one, other) => one.position - other.position),
      segments: log.active + 1,
      frames: this.#frames,
      records: this.#records,
      bytes: this.#bytes,
      start: startOf(log),
      end: this.#end,
      watermark: position(this.#watermark),
    }
  }
}

function closed(
  segment: Segment,
  walk: SegmentWalk,
  to: Position | undefined,
  found: Damage[],
): Position {
  const file = segment.path
  for (const { from, reason } of walk.gaps) found.push({ file, position: from, reason })
  const fault = faultOf(segment, { ...walk, gaps: [] }, to)
  if (fault !== undefined) found.push({ file, ...fault })
  return to ?? walk.end
}

/** Every frame verifies; whatever else stands in the file is under the checksum of its seal. */
async function checkSeal(segment: Segment, found: Damage[]): Promise<void> {
  const { seal, places, file, path, base } = segment
  if (seal === undefined) return
  let sum = 0
  for (let place = 0; place < places.fileBytes;) {
    const block = Buffer.alloc(Math.min(READ_BLOCK_BYTES, places.fileBytes - place))
    await readFully(file, block, place)
    sum = checksum(block, 0, block.length, sum)
    place += block.length
  }
  if (sum === seal.contents) return
  found.push({ file: path, position: base, reason: 'the checksum over the segment is wrong' })
}

/** Nothing of it is there to be walked. */
const isAbsent = ({ damage, base, segmentBytes }: Segment): boolean =>
  damage.some(({ from, to }) => from === base && to === base + segmentBytes)

const isKnown = ({ damage }: Segment, { position: at }: Damage): boolean =>
  damage.some(({ from, to }) => from <= at && at < to)

const startOf = ({ segments }: LogFiles): Position => segments[0]?.first ?? position(0)
