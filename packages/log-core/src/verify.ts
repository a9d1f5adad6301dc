/**
 * Verifies a whole log from outside: every header, every byte of every frame, and that the segments
 * join without a gap. It changes nothing and needs no lock, so it may run beside the owner; then it
 * answers for the log as it was when it began. All damage is told, not only the first.
 *
 * What stands behind the end and was never proven durable is no damage: the owner is writing it, or
 * a crash left it, and the next opening decides as `recovery.ts` does.
 */
import { type Disk, position, type Position } from '@sagalog/kernel'
import { openLogFiles, closedEnd, type LogFiles, type SegmentFile } from './log-files.js'
import { identityPlaces, type PlacesOf } from './places.js'
import type { Segment } from './segment.js'
import { endOfLog, type SegmentWalk, walkSegment } from './segment-walk.js'

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
    const verifier = new Verifier(log, onProgress)
    for (const [index, file] of log.files.entries()) await verifier.verify(index, file)
    return verifier.verdict()
  } finally {
    await log.close()
  }
}

class Verifier {
  readonly #log: LogFiles
  readonly #onProgress: (bytes: number, of: number) => void
  readonly #damages: Damage[] = []
  readonly #total: number
  /** Of the segment before. */
  #epoch = 0
  #baseNext: number | undefined
  #end: Position
  #frames = 0
  #records = 0
  #bytes = 0
  #watermark = 0

  constructor(log: LogFiles, onProgress: (bytes: number, of: number) => void) {
    this.#log = log
    this.#onProgress = onProgress
    this.#total = log.files
      .slice(0, log.active + 1)
      .reduce((sum, { fileBytes }) => sum + fileBytes, 0)
    this.#end = startOf(log)
  }

  #damage(file: string, at: number, reason: string): void {
    this.#damages.push({ file, position: position(at), reason })
  }

  async verify(index: number, file: SegmentFile): Promise<void> {
    const { path, base, fileBytes, segment, fault } = file
    if (this.#baseNext !== undefined && base !== this.#baseNext) {
      this.#damage(path, base, `the segment before it, of position ${this.#baseNext}, is missing`)
    }
    if (segment === undefined) {
      if (fault !== undefined) this.#damage(path, base, fault)
      this.#baseNext = undefined
      return
    }
    this.#baseNext = base + segment.segmentBytes
    if (fileBytes < segment.places.fileBytes) {
      const bytes = segment.places.fileBytes
      this.#damage(path, base, `the file has ${fileBytes} bytes and should have ${bytes}`)
    }
    if (index <= this.#log.active) await this.#verifyFrames(index, file, segment)
  }

  async #verifyFrames(index: number, file: SegmentFile, segment: Segment): Promise<void> {
    const isActive = index === this.#log.active
    const to = isActive ? undefined : closedEnd(this.#log, index)
    const before = this.#bytes
    const walk = await walkSegment(segment, to, {
      pause: (reached) => {
        this.#onProgress(before + (reached - segment.base), this.#total)
        return Promise.resolve(true)
      },
    })
    const epoch = file.firstFrame?.epoch ?? walk.epoch
    if (epoch < this.#epoch) {
      this.#damage(file.path, segment.first, 'the frame belongs to an earlier opening')
    }
    this.#epoch = walk.epoch
    this.#frames += walk.frames
    this.#records += walk.records
    this.#watermark = Math.max(this.#watermark, walk.watermark)
    this.#end = isActive ? this.#endOfActive(file, walk) : this.#endOfClosed(file, walk, to)
    this.#bytes = before + (this.#end - segment.base)
  }

  #endOfClosed({ path }: SegmentFile, walk: SegmentWalk, to: Position | undefined): Position {
    for (const { from, reason } of walk.gaps) this.#damage(path, from, reason)
    if (to !== undefined && walk.end !== to) {
      const reason =
        walk.stop === 'blank' || walk.stop === 'valid' ? 'a frame is missing' : walk.stop
      this.#damage(path, walk.end, `${reason}; the segment ends at ${to}`)
    }
    return to ?? walk.end
  }

  #endOfActive({ path }: SegmentFile, walk: SegmentWalk): Position {
    const end = endOfLog(walk)
    const why = `yet ${walk.watermark} was durable`
    for (const { from, reason } of walk.gaps) {
      if (from < end) this.#damage(path, from, `${reason}, ${why}`)
    }
    if (end < walk.watermark) this.#damage(path, end, `${walk.stop}, ${why}`)
    return end
  }

  verdict(): Verdict {
    this.#onProgress(this.#total, this.#total)
    return {
      isWhole: this.#damages.length === 0,
      damages: this.#damages,
      segments: this.#log.active + 1,
      frames: this.#frames,
      records: this.#records,
      bytes: this.#bytes,
      start: startOf(this.#log),
      end: this.#end,
      watermark: position(this.#watermark),
    }
  }
}

function startOf({ files }: LogFiles): Position {
  const first = files[0]
  return first?.segment?.first ?? first?.base ?? position(0)
}
