/**
 * Brings a directory back into a state that appends can go on from. It decides one thing: is a
 * frame that does not verify the torn tail, or damage?
 *
 * Each frame carries the durable watermark of the moment its write started. Below the highest
 * watermark that any valid frame carries, every frame was durable once: one that does not verify is
 * damage, and nothing is touched. At or above it nothing was ever promised: the log ends before the
 * first frame that does not verify, and what stands behind is zeroed and reported.
 *
 * The first write to a segment starts only when all before it is durable, so a segment with a valid
 * first frame proves the end of the one before. A seal is written only once the next segment has a
 * durable frame, so it proves that there is one.
 *
 * A disk that failed a sync may show zeros that it never wrote, and bring back later what was cut.
 * Therefore epochs never go down: frames of an earlier opening behind those of a later one are not
 * the log's, neither in one segment nor in the next.
 */
import { assert, type Clock, type SyncMode } from '@sagalog/kernel'
import type { RecoveryReport } from './api.js'
import { trackedDisk } from './tracked-disk.js'
import { READ_BLOCK_BYTES, SPARES_KEPT } from './limits.js'
import { firstPlace, pathOf, placeOfEnd, readFully, type Segment } from './segment.js'
import { type SegmentPlan, type SpareFile, writeFully } from './segment.js'
import { generationOfSpare, openSegmentFiles, type SegmentFiles } from './segment-files.js'
import { SPARE_SUFFIX } from './segment-format.js'
import { reportOf } from './recovery-report.js'
import type { Survey } from './survey.js'
import { at, damageOf, findTail, type Tail } from './tail.js'

export interface Recovered {
  /** Segments with frames; the last one takes the next appends. */
  readonly segments: readonly Segment[]
  /** Segments that are prepared and empty. */
  readonly ready: readonly Segment[]
  /** Files of retired segments that wait for their next use. */
  readonly spares: readonly SpareFile[]
  readonly report: RecoveryReport
  /** The epoch of the last frame, 0 without frames. */
  readonly epoch: number
}

export interface RecoveryOptions {
  readonly plan: SegmentPlan
  readonly clock: Clock
  readonly sync: SyncMode
}

/** Recovers the directory; undefined when it holds no segment. Closes its files when it fails. */
export async function recover(options: RecoveryOptions): Promise<Recovered | undefined> {
  const { disk, closeAll } = trackedDisk(options.plan.disk)
  try {
    return await recoverOpen({ ...options, plan: { ...options.plan, disk } })
  } catch (error) {
    await closeAll()
    throw error
  }
}

async function recoverOpen({ plan, clock, sync }: RecoveryOptions): Promise<Recovered | undefined> {
  const startedMs = clock.monotonicMs()
  const files = await openSegmentFiles(plan, false)
  if (files === undefined) return undefined
  const { segments: found } = files
  // What is only half there is removed before the tail is judged, and only after damage was not.
  const tail = found.length === 0 ? undefined : await findTail(found)
  const [damage] = tail?.damage ?? []
  if (damage !== undefined) throw damageOf(damage)
  const { removed, spares } = await clear(plan, files)
  if (tail === undefined) return undefined

  const { active, survey, above, watermark } = tail
  let ambiguousBytes = 0
  for (const [index, seen] of [survey, ...above].entries()) {
    await settleTail(at(found, active + index), seen, watermark)
    ambiguousBytes += seen.bytesBeyond
  }
  const { segments, ready } = await reopenAll(plan, found, tail, sync)
  await plan.disk.syncDirectory(plan.directory)
  const durationMs = clock.monotonicMs() - startedMs
  const cleared = { removed, spares, ambiguousBytes }
  return {
    segments,
    ready,
    spares,
    epoch: survey.epoch,
    report: reportOf({ found, tail, ...cleared, isReadOnly: false, damage: [], durationMs }),
  }
}

async function reopenAll(
  plan: SegmentPlan,
  found: readonly Segment[],
  { active, survey }: Tail,
  sync: SyncMode,
): Promise<{ segments: readonly Segment[]; ready: readonly Segment[] }> {
  const segments: Segment[] = []
  const ready: Segment[] = []
  for (const [index, segment] of found.entries()) {
    const end = index === active ? survey.end : index > active ? segment.first : undefined
    if (end === undefined) {
      await segment.file.adopt(segment.places.fileBytes)
      segments.push(segment)
    } else {
      const target = index === active ? segments : ready
      target.push(await reopen(plan, segment, sync, placeOfEnd(segment, end)))
    }
  }
  return { segments, ready }
}

/**
 * Removes what an earlier process left half done, and files of retired segments that are not kept
 * for their next use.
 */
async function clear(
  plan: SegmentPlan,
  { leftovers, unfinished, segments }: SegmentFiles,
): Promise<{ removed: readonly string[]; spares: readonly SpareFile[] }> {
  const { disk, directory } = plan
  const removed: string[] = []
  const spares: SpareFile[] = []
  const isOpen = new Set(segments.map(({ path }) => path))
  for (const path of unfinished === undefined ? leftovers : [...leftovers, unfinished]) {
    assert(!isOpen.has(path), 'a segment of the log is not removed')
    const isSpare = path.endsWith(SPARE_SUFFIX) && spares.length < SPARES_KEPT
    const generation = isSpare ? await generationOfSpare(disk, path) : undefined
    if (generation !== undefined) {
      spares.push({ path, generation })
      continue
    }
    await disk.remove(path)
    removed.push(path)
  }
  if (removed.length > 0) await disk.syncDirectory(directory)
  return { removed, spares }
}

/**
 * Makes the unproven part of a segment what it looks like. Zeros go over what was cut, so that no
 * later frame can join with an old one. What is kept above the watermark is written once more: it
 * may stand in the page cache only, marked clean by a sync that failed.
 */
async function settleTail(segment: Segment, survey: Survey, watermark: number): Promise<void> {
  const { file } = segment
  const start = firstPlace(segment)
  const isHeaderProven = watermark > segment.first
  let place = isHeaderProven ? start + (watermark - segment.first) : 0
  const end = start + (survey.end - segment.first)
  while (place < end) {
    const block = Buffer.allocUnsafe(Math.min(READ_BLOCK_BYTES, end - place))
    const got = await readFully(file, block, place)
    assert(got === block.length, 'what was just verified can be read')
    await writeFully(file, block, place)
    place += got
  }
  await writeFully(file, Buffer.alloc(survey.bytesBeyond), end)
  await file.sync()
}

/**
 * A handle of its own for what is written from now on: the account of the one that recovery used
 * knows about zeros behind the end, which are not the log's.
 */
async function reopen(
  plan: SegmentPlan,
  segment: Segment,
  sync: SyncMode,
  placeEnd: number,
): Promise<Segment> {
  await segment.file.close()
  const path = pathOf(plan.directory, segment.base)
  const file = await plan.disk.open(path, { access: 'write', sync })
  await file.adopt(placeEnd)
  return { ...segment, file }
}
