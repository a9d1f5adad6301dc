/**
 * Opens a damaged log for reading, as it is: nothing is written, cut or removed. Each record that
 * verifies can be read; what does not is listed, and a read or a scan that meets it says so.
 */
import { position } from '@sagalog/kernel'
import { frameWatermark } from './frame-format.js'
import { frameCursor, judgeLoading } from './frame-cursor.js'
import type { Recovered, RecoveryOptions } from './recovery.js'
import { reportOf } from './recovery-report.js'
import type { DamagedRange, Segment } from './segment.js'
import { openSegmentFiles } from './segment-files.js'
import { lastFrameEnd, surveySegment } from './survey.js'
import { at, findTail, type Tail } from './tail.js'
import { trackedDisk } from './tracked-disk.js'

/**
 * Undefined when no segment can be told from the directory. Rejects with FORMAT_UNSUPPORTED or IO.
 */
export async function recoverReadOnly({
  plan,
  clock,
}: Omit<RecoveryOptions, 'sync'>): Promise<Recovered | undefined> {
  const startedMs = clock.monotonicMs()
  const { disk, closeAll } = trackedDisk(plan.disk)
  try {
    const files = await openSegmentFiles({ ...plan, disk }, true)
    if (files === undefined || files.segments.length === 0) {
      await closeAll()
      return undefined
    }
    const { segments: found } = files
    const seen = await findTail(found)
    const damage = [...files.damage, ...newDamage(found, seen)]
    const tail = overDamage(found, seen)
    const segments = found.slice(0, tail.active + 1)
    for (const index of segments.keys()) await findContentEnd(found, index, tail.active)
    for (const prepared of found.slice(tail.active + 1)) await prepared.file.close()
    const durationMs = clock.monotonicMs() - startedMs
    const cleared = { removed: [], spares: [], ambiguousBytes: 0 }
    return {
      segments,
      ready: [],
      spares: [],
      epoch: tail.survey.epoch,
      report: reportOf({ found, tail, ...cleared, damage, isReadOnly: true, durationMs }),
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** What the tail showed, without what is known already; noted in its segment. */
function newDamage(found: readonly Segment[], { damage }: Tail): DamagedRange[] {
  const added: DamagedRange[] = []
  for (const range of damage) {
    const segment = found.find(({ path }) => path === range.file)
    const isKnown = segment?.damage.some(({ from, to }) => from <= range.from && to >= range.to)
    if (isKnown === true) continue
    segment?.damage.push(range)
    added.push(range)
  }
  return added
}

/** Damage does not end the log: frames that verify may stand behind it, and it is to be met. */
function overDamage(found: readonly Segment[], seen: Tail): Tail {
  const { active, survey, damage } = seen
  const last = found.findLastIndex((segment) => segment.damage.length > 0)
  const lost = last > active ? at(found, last).damage.at(-1) : undefined
  if (lost !== undefined) return { ...seen, active: last, survey: { ...survey, end: lost.to } }
  const { path } = at(found, active)
  const isDamaged = damage.some(({ file }) => file === path)
  return isDamaged ? { ...seen, survey: { ...survey, end: lastFrameEnd(survey) } } : seen
}

/** Where the frames of a closed segment end: as the next one says, else as they stand there. */
async function findContentEnd(
  found: readonly Segment[],
  index: number,
  active: number,
): Promise<void> {
  const segment = at(found, index)
  if (index === active || segment.contentEnd !== undefined) return
  const next = at(found, index + 1)
  const last = position(segment.base + segment.segmentBytes)
  const said = next.rewritten?.endBefore ?? (await endBefore(next)) ?? 0
  if (said >= segment.first && said <= last) segment.contentEnd = position(said)
  else if (segment.damage.some(({ to }) => to === last)) segment.contentEnd = last
  else segment.contentEnd = lastFrameEnd(await surveySegment(segment))
}

async function endBefore(segment: Segment): Promise<number | undefined> {
  const cursor = frameCursor(segment, true)
  cursor.seek(segment.first)
  if ((await judgeLoading(cursor)) !== 'valid') return undefined
  return frameWatermark(cursor.block, cursor.at)
}
