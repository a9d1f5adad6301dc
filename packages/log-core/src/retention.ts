/**
 * Lets go what nobody needs: segments at the start of the log retire, others are rewritten with
 * only what must stay. What may go is decided by `retention-plan.ts`; here it is carried out, in
 * steps that a crash may end anywhere.
 *
 * Invariant: a record goes only when all that the decision rests on is durable, and a file only
 * when nobody reads it any more.
 */
import { type Clock, DiskError, type LogRecord, position, type Position } from '@sagalog/kernel'
import { RECORD_KINDS } from '@sagalog/kernel'
import { writeStart } from './log-start.js'
import { lowestOf, type NeedRow, type NeedsTable } from './needs.js'
import { type Pace, pace } from './pace.js'
import { CHECK_BYTES_PER_SECOND } from './limits.js'
import { type PlannedLook, planRetention, REWRITE_BELOW_DEFAULT } from './retention-plan.js'
import type { RetentionPolicy, SegmentFacts } from './retention-plan.js'
import { measureKept, rewriteSegment } from './rewrite.js'
import { SEAL_BYTES } from './seal-format.js'
import { REWRITE_SUFFIX, SPARE_SUFFIX } from './segment-format.js'
import { enter, leave, noteDamage, type Segment } from './segment.js'
import type { Segments } from './segments.js'

export interface RetentionOptions {
  readonly needs: NeedsTable
  /** Facts and marks below it may go; see `Folds.freeBelow`. Everything durable without folds. */
  readonly freeBelow: Position
  readonly policy?: RetentionPolicy
  /** Keys of what is read together: a rewritten segment holds it together. */
  readonly groupBy?: (record: LogRecord) => string | number
  /** How fast segments are read and written at most. Default 64 MiB. */
  readonly bytesPerSecond?: number
}

export interface RetentionReport {
  /** The base of the first segment that is left. */
  readonly start: Position
  readonly retired: readonly string[]
  readonly rewritten: readonly RewrittenFile[]
  /** Names of needs that were overruled, because the log was over its cap. */
  readonly overruled: readonly string[]
  /** Some step found the disk full, and was left for the next time. */
  readonly isDiskFull: boolean
}

export interface RewrittenFile {
  readonly file: string
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly records: number
}

export interface RetentionParts {
  readonly segments: Segments
  readonly clock: Clock
  /** What cursors that are open have still to read. */
  readonly cursorNeeds: () => Position | undefined
  /** Resolves once all that is sequenced now is durable; rejects when the log failed. */
  readonly whenDurable: () => Promise<void>
  readonly contentEndOf: (segment: Segment) => Promise<Position>
  readonly onFailure: (error: unknown) => void
}

type Running = Omit<RetentionOptions, 'policy'> & {
  readonly policy: RetentionPolicy
  readonly pace: Pace
}

export class Retention {
  readonly #parts: RetentionParts
  /** Out of the row, their files still there. */
  #leaving: Segment[] = []
  /** Replaced by their rewritten selves, and still read. */
  readonly #replaced = new Set<Segment>()
  /** True when the start of the log on the disk is the one of the row. */
  #isStartSaved = true
  #running: Promise<unknown> | undefined
  #pace: Pace | undefined
  #isStopped = false

  constructor(parts: RetentionParts) {
    this.#parts = parts
  }

  /** One run at a time; the next begins when the one before has ended. */
  run(options: RetentionOptions): Promise<RetentionReport> {
    const before = this.#running ?? Promise.resolve()
    const run = before.then(() => this.#run(options))
    this.#running = run.catch(() => undefined)
    return run
  }

  async #run(options: RetentionOptions): Promise<RetentionReport> {
    const { clock, segments, onFailure } = this.#parts
    const paced = pace(clock, options.bytesPerSecond ?? CHECK_BYTES_PER_SECOND)
    if (this.#isStopped) paced.stop()
    this.#pace = paced
    const running = { ...options, policy: options.policy ?? {}, pace: paced }
    const report = { retired: [] as string[], rewritten: [] as RewrittenFile[] }
    const overruled = new Set<string>()
    let isDiskFull = false
    try {
      await this.#work(running, report, overruled)
    } catch (error) {
      if (!DiskError.is(error)) throw error
      isDiskFull = error.code === 'FULL'
      if (!isDiskFull) {
        onFailure(error)
        throw error
      }
    }
    const start = segments.list[0]?.base ?? position(0)
    return { start, ...report, overruled: [...overruled], isDiskFull }
  }

  async #work(
    running: Running,
    report: { retired: string[]; rewritten: RewrittenFile[] },
    overruled: Set<string>,
  ): Promise<void> {
    const plan = this.#plan(running)
    // What is needed was asked of those who know all that is sequenced; now that becomes durable.
    await this.#parts.whenDurable()
    for (const name of plan.overruled) overruled.add(name)
    // Someone may have begun to read meanwhile.
    const start = position(Math.min(plan.start, this.#plan(running).start))
    report.retired.push(...(await this.#retire(start)))
    for (const look of plan.look) {
      if (running.pace.isStopped) return
      const segment = this.#parts.segments.find(look.base)
      if (segment?.base !== look.base) continue
      const done = await this.#look(segment, look, running)
      if (typeof done === 'string') report.retired.push(done)
      else if (done !== undefined) report.rewritten.push(done)
    }
  }

  #rows({ needs }: Running): readonly NeedRow[] {
    const everythingFrom = this.#parts.cursorNeeds()
    const cursors = { name: 'cursors', everythingFrom, bodiesFrom: undefined }
    return [...needs.rows(), { ...cursors, mayBeOverruled: false }]
  }

  #plan(running: Running) {
    const { segments, clock } = this.#parts
    const { freeBelow, policy } = running
    return planRetention({
      segments: segments.list.slice(0, -1).map(factsOf),
      openBytes: segments.current.places.fileBytes,
      freeBelow,
      needs: this.#rows(running),
      nowMs: clock.wallMs(),
      policy,
    })
  }

  /** True while nobody needs all of the segment. */
  #isFree({ base, segmentBytes }: Segment, isOverCap: boolean, running: Running): boolean {
    return base + segmentBytes <= lowestOf(this.#rows(running), isOverCap).everything
  }

  /**
   * Moves the start of the log. Nobody finds the segments below it from here on; then the new start
   * becomes durable, and only then their files go.
   */
  async #retire(start: Position): Promise<readonly string[]> {
    const { segments } = this.#parts
    const gone = segments.retireBelow(start)
    this.#leaving.push(...gone)
    if (gone.length > 0) this.#isStartSaved = false
    if (this.#leaving.length === 0) return []
    const { disk, directory } = segments.plan
    const { base, segmentBytes } = segments.list[0] ?? segments.current
    if (!this.#isStartSaved) await writeStart(disk, directory, { start: base, segmentBytes })
    this.#isStartSaved = true
    return this.#removeFiles()
  }

  async #removeFiles(): Promise<readonly string[]> {
    const { disk, directory } = this.#parts.segments.plan
    const removed: string[] = []
    for (const segment of [...this.#leaving]) {
      await this.#whenUnused(segment)
      if (segment.readers > 0) break
      await this.#removeFile(segment)
      removed.push(segment.path)
      this.#leaving = this.#leaving.filter((other) => other !== segment)
    }
    await disk.syncDirectory(directory)
    return removed
  }

  /** The file of a segment that was never rewritten has the size of the next one. */
  async #removeFile(segment: Segment): Promise<void> {
    const { segments } = this.#parts
    const { disk } = segments.plan
    const { path, file, places, generation, rewritten } = segment
    const isWhole = (await file.size()) === places.fileBytes + SEAL_BYTES
    await file.close()
    if (rewritten !== undefined || !isWhole || !segments.wantsSpare) {
      await disk.remove(path)
      return
    }
    const spare = path.replace(/\.seg$/, SPARE_SUFFIX)
    await disk.rename(path, spare)
    segments.addSpare({ path: spare, generation })
  }

  /** Resolves once nobody reads the segment's file, or the log is being closed. */
  #whenUnused(segment: Segment): Promise<void> {
    if (segment.readers === 0 || this.#isStopped) return Promise.resolve()
    return new Promise((resolve) => {
      segment.onUnused = resolve
    })
  }

  /** Retires or rewrites one segment, when it holds little that must stay. */
  async #look(
    segment: Segment,
    { isOverCap }: PlannedLook,
    running: Running,
  ): Promise<string | RewrittenFile | undefined> {
    const { needs, policy, pace: paced } = running
    const { segments, whenDurable, contentEndOf } = this.#parts
    const isKept = (record: LogRecord): boolean =>
      RECORD_KINDS[record.kind].class === 'body' && needs.needsBody(record, isOverCap)
    const enough = segment.places.fileBytes * (policy.rewriteBelow ?? REWRITE_BELOW_DEFAULT)
    enter(segment)
    try {
      segment.contentEnd = await contentEndOf(segment)
      const kept = await measureKept(segment, { isKept, pace: paced }, enough)
      await whenDurable()
      if (kept === 'stopped' || !this.#isFree(segment, isOverCap, running)) return undefined
      if ('damage' in kept) {
        noteDamage(segment, kept.damage)
        return undefined
      }
      const isFirst = segments.list[0] === segment
      if (!(isFirst && kept.records === 0)) {
        if (kept.bytes >= enough) return undefined
        return await this.#rewrite(segment, isOverCap, { ...running, isKept })
      }
    } finally {
      leave(segment)
    }
    const next = position(segment.base + segment.segmentBytes)
    return (await this.#retire(next)).at(-1)
  }

  async #rewrite(
    segment: Segment,
    isOverCap: boolean,
    running: Running & { readonly isKept: (record: LogRecord) => boolean },
  ): Promise<RewrittenFile | undefined> {
    const { segments, whenDurable } = this.#parts
    const { disk, directory } = segments.plan
    const endBefore = await this.#endBefore(segment)
    const made = await rewriteSegment(segments.plan, segment, endBefore, running)
    if (made === 'stopped' || 'damage' in made) return undefined
    const temporary = segment.path.replace(/\.seg$/, REWRITE_SUFFIX)
    await whenDurable()
    if (!this.#isFree(segment, isOverCap, running) || segments.find(segment.base) !== segment) {
      await made.segment.file.close()
      await disk.remove(temporary)
      return undefined
    }
    // From here on readers find the new file; those in the old one stay there until they leave.
    segments.replace(segment, made.segment)
    await disk.rename(temporary, segment.path)
    await disk.syncDirectory(directory)
    void this.#whenLeft(segment)
    const { path: file, places } = segment
    const bytesAfter = made.segment.places.fileBytes
    return { file, bytesBefore: places.fileBytes, bytesAfter, records: made.records }
  }

  /** Its name is the new file's; what is left of it goes when its last reader has left. */
  async #whenLeft(segment: Segment): Promise<void> {
    this.#replaced.add(segment)
    await this.#whenUnused(segment)
    // Nothing of it is needed any more, so a close that fails has nothing to tell.
    if (this.#replaced.delete(segment)) await segment.file.close().catch(() => undefined)
  }

  async #endBefore(segment: Segment): Promise<Position> {
    if (segment.rewritten !== undefined) return position(segment.rewritten.endBefore)
    const { segments, contentEndOf } = this.#parts
    const before = segments.find(position(Math.max(0, segment.base - 1)))
    return before === undefined ? position(0) : contentEndOf(before)
  }

  /** Resolves once nothing of it is on its way to the disk; closes what it still has. */
  async stop(): Promise<void> {
    this.#isStopped = true
    this.#pace?.stop()
    for (const { onUnused } of [...this.#leaving, ...this.#replaced]) onUnused?.()
    await this.#running
    const left = [...this.#leaving, ...this.#replaced]
    this.#leaving = []
    this.#replaced.clear()
    await Promise.allSettled(left.map(({ file }) => file.close()))
  }
}

export function factsOf({ base, segmentBytes, places, seal, damage }: Segment): SegmentFacts {
  const end = position(base + segmentBytes)
  const bytes = places.fileBytes
  return {
    base,
    end,
    bytes,
    closedMs: seal?.closedMs,
    isSealed: seal !== undefined && damage.length === 0,
  }
}
