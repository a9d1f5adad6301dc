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
 * first frame proves the end of the one before.
 *
 * A disk that failed a sync may show zeros that it never wrote, and bring back later what was cut.
 * Therefore epochs never go down: frames of an earlier opening behind those of a later one are not
 * the log's, neither in one segment nor in the next.
 */
import { assert, type Disk, type DiskFile, position, type SyncMode } from '@sagalog/kernel'
import type { RecoveryReport } from './api.js'
import { LogError } from './errors.js'
import { READ_BLOCK_BYTES } from './limits.js'
import { baseOfName, decodeSegmentHeader, SEGMENT_HEADER_BYTES } from './segment-format.js'
import { firstPlace, pathOf, placeOfEnd, readFully, type Segment } from './segment.js'
import { segmentOf, type SegmentPlan, writeFully } from './segment.js'
import { type Survey, surveySegment } from './survey.js'

export interface Recovered {
  /** Segments with frames; the last one takes the next appends. */
  readonly segments: readonly Segment[]
  /** Segments that are prepared and empty. */
  readonly ready: readonly Segment[]
  readonly report: RecoveryReport
  /** The epoch of the last frame, 0 without frames. */
  readonly epoch: number
}

/** Recovers the directory; undefined when it holds no segment. Closes its files when it fails. */
export async function recover(plan: SegmentPlan, sync: SyncMode): Promise<Recovered | undefined> {
  const opened = new Set<DiskFile>()
  const disk: Disk = {
    ...plan.disk,
    async open(path, options) {
      const file = await plan.disk.open(path, options)
      opened.add(file)
      return file
    },
  }
  try {
    return await recoverOpen({ ...plan, disk }, sync)
  } catch (error) {
    await Promise.allSettled([...opened].map((file) => file.close()))
    throw error
  }
}

async function recoverOpen(plan: SegmentPlan, sync: SyncMode): Promise<Recovered | undefined> {
  const removed: string[] = []
  const found = await openSegments(plan, removed)
  if (removed.length > 0) await plan.disk.syncDirectory(plan.directory)
  const [first] = found
  if (first === undefined) return undefined

  const { active, survey, above, watermark } = await findTail(found)
  let ambiguousBytes = 0
  for (const [index, seen] of [survey, ...above].entries()) {
    await settleTail(at(found, active + index), seen, watermark)
    ambiguousBytes += seen.bytesBeyond
  }
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
  await plan.disk.syncDirectory(plan.directory)
  return {
    segments,
    ready,
    epoch: survey.epoch,
    report: {
      segments: found.length,
      start: first.first,
      end: survey.end,
      watermark: position(watermark),
      ambiguousBytes,
      cut:
        ambiguousBytes === 0 ? undefined : { file: at(found, active).path, position: survey.end },
      removed,
    },
  }
}

interface Tail {
  /** The index of the segment in which the log ends. */
  readonly active: number
  readonly survey: Survey
  /** Of the segments behind it, which hold nothing. */
  readonly above: readonly Survey[]
  readonly watermark: number
}

/** Looks from the newest segment down for the one in which the log ends. */
async function findTail(found: readonly Segment[]): Promise<Tail> {
  const above: Survey[] = []
  let watermark = 0
  let active = found.length - 1
  let survey = await surveySegment(at(found, active))
  for (;;) {
    watermark = Math.max(watermark, survey.watermark)
    assertProven(at(found, active), survey, watermark)
    if (active === 0) break
    const before = await surveySegment(at(found, active - 1))
    if (survey.frames > 0 && survey.epoch >= before.epoch) {
      // Where the segment before ends is known from both sides.
      assertProven(at(found, active - 1), before, survey.endBefore)
      break
    }
    const start = at(found, active).first
    const bytesBeyond = survey.end - start + survey.bytesBeyond
    above.unshift({ ...survey, frames: 0, end: start, bytesBeyond })
    survey = before
    active -= 1
  }
  return { active, survey, above, watermark }
}

function at(segments: readonly Segment[], index: number): Segment {
  const segment = segments[index]
  assert(segment !== undefined, 'the index is inside the list')
  return segment
}

function assertProven(segment: Segment, survey: Survey, watermark: number): void {
  if (watermark <= survey.end) return
  throw new LogError('CORRUPT', {
    file: segment.path,
    position: survey.end,
    reason: `${survey.stop === 'valid' ? 'no frame' : survey.stop}, yet ${watermark} was durable`,
  })
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
  const file = await plan.disk.open(segment.path, { access: 'write', sync })
  await file.adopt(placeEnd)
  return { ...segment, file }
}

/** Opens all segments and checks that they belong together. */
async function openSegments(plan: SegmentPlan, removed: string[]): Promise<Segment[]> {
  const bases = (await plan.disk.list(plan.directory))
    .map(baseOfName)
    .filter((base) => base !== undefined)
  const segments: Segment[] = []
  for (const [index, base] of bases.entries()) {
    const path = pathOf(plan.directory, base)
    const damaged = (reason: string): LogError =>
      new LogError('CORRUPT', { file: path, position: base, reason })
    const file = await plan.disk.open(path, { access: 'write', sync: 'on-demand' })
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
    const got = await readFully(file, bytes, 0)
    const verdict = decodeSegmentHeader(bytes.subarray(0, got))
    if ('fault' in verdict) {
      if (verdict.fault === 'newer') {
        const detail = { file: path, what: 'format version', found: verdict.version, known: 1 }
        throw new LogError('FORMAT_UNSUPPORTED', detail)
      }
      // Frames are written only once the header is durable: only the newest segment may be
      // unfinished, and then nothing stands behind its header.
      if (index < bases.length - 1 || !(await isBlankBehindHeader(file))) {
        throw damaged(`the segment header is ${verdict.fault}`)
      }
      await file.close()
      await plan.disk.remove(path)
      removed.push(path)
      continue
    }
    const { header } = verdict
    const segment = segmentOf(plan, header, file)
    if (header.base !== base) throw damaged(`the header is that of position ${header.base}`)
    if (base !== index * (segments[0] ?? header).segmentBytes) {
      throw damaged('the segment before it is missing')
    }
    if ((await file.size()) < segment.places.fileBytes) throw damaged('the file is too short')
    segments.push(segment)
  }
  return segments
}

export async function isBlankBehindHeader(file: Segment['file']): Promise<boolean> {
  const block = Buffer.alloc(1 << 16)
  const zeros = Buffer.alloc(block.length)
  for (let place = SEGMENT_HEADER_BYTES; ; place += block.length) {
    const got = await readFully(file, block, place)
    if (got === 0) return true
    if (block.compare(zeros, 0, got, 0, got) !== 0) return false
  }
}
