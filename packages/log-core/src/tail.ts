/**
 * Finds where the log ends, and what below that end is damage. It reads the newest segments and
 * changes nothing.
 */
import { assert, position, type Position } from '@sagalog/kernel'
import { LogError } from './errors.js'
import { type DamagedRange, type Segment } from './segment.js'
import { segmentName } from './segment-format.js'
import { gapsIn, type Survey, surveySegment } from './survey.js'

export interface Tail {
  /** The index of the segment in which the log ends. */
  readonly active: number
  readonly survey: Survey
  /** Of the segments behind it, which hold nothing. */
  readonly above: readonly Survey[]
  readonly watermark: number
  /** What was durable once and does not verify. */
  readonly damage: readonly DamagedRange[]
}

export function at(segments: readonly Segment[], index: number): Segment {
  const segment = segments[index]
  assert(segment !== undefined, 'the index is inside the list')
  return segment
}

export function damageOf({ file, from, reason }: DamagedRange): LogError {
  return new LogError('CORRUPT', { file, position: from, reason })
}

/** Looks from the newest segment down for the one in which the log ends. */
export async function findTail(found: readonly Segment[]): Promise<Tail> {
  const above: Survey[] = []
  const damage: DamagedRange[] = []
  let watermark = 0
  let active = found.length - 1
  let survey = await surveyOf(at(found, active))
  for (;;) {
    const segment = at(found, active)
    watermark = Math.max(watermark, survey.watermark)
    damage.push(...unproven(segment, survey, watermark))
    if (isClosed(segment)) damage.push(lostNext(found, active))
    // Where something durable is lost, the log did not end before.
    if (damage.length > 0 || active === 0) break
    const below = at(found, active - 1)
    const before = await surveyOf(below)
    if (survey.frames > 0 && survey.epoch >= before.epoch) {
      // Where the segment before ends is known from both sides.
      damage.push(...unproven(below, before, survey.endBefore))
      break
    }
    const start = segment.first
    const bytesBeyond = survey.end - start + survey.bytesBeyond
    above.unshift({ ...survey, frames: 0, end: start, bytesBeyond })
    survey = before
    active -= 1
  }
  return { active, survey, above, watermark, damage: damage.toSorted((a, b) => a.from - b.from) }
}

/** Says of itself that the next segment has a durable frame. */
const isClosed = ({ seal, rewritten }: Segment): boolean => (seal ?? rewritten) !== undefined

/** A closed segment is not read: its seal was written when its last frame had been verified. */
async function surveyOf(segment: Segment): Promise<Survey> {
  const { seal, rewritten, first } = segment
  const closed = seal ?? rewritten
  if (closed === undefined) return surveySegment(segment)
  const { end, epoch } = closed
  const frames = end > first ? 1 : 0
  const tail = { stop: 'blank' as const, bytesBeyond: 0, spansBeyond: [] }
  return { frames, end, epoch, endBefore: 0, watermark: end, ...tail }
}

/** What does not verify in a segment and was durable once. */
function unproven(segment: Segment, survey: Survey, watermark: number): DamagedRange[] {
  if (watermark <= survey.end) return []
  const stop = survey.stop === 'valid' || survey.stop === 'blank' ? 'no frame' : survey.stop
  const to = Math.min(watermark, segment.base + segment.segmentBytes)
  const [first, ...rest] = gapsIn(survey, to)
  const file = segment.path
  const reason = `${stop}, yet ${watermark} was durable`
  const from = first?.from ?? survey.end
  const ranges = [{ file, from, to: first?.to ?? position(to), reason }]
  for (const gap of rest) ranges.push({ file, ...gap, reason: 'frames are missing' })
  return ranges
}

/** The log ends in a sealed segment: the one behind it, which had a durable frame, is gone. */
function lostNext(found: readonly Segment[], active: number): DamagedRange {
  const { path, base, segmentBytes } = at(found, active)
  const from = position(base + segmentBytes)
  const next = found[active + 1]
  const file = next?.path ?? `${path.slice(0, path.lastIndexOf('/'))}/${segmentName(from)}`
  const what = next === undefined ? 'it is missing' : 'it has no frame'
  const to: Position = position(from + segmentBytes)
  return { file, from, to, reason: `${what}, yet the segment before it is closed` }
}
