/**
 * Rewrites a closed segment with only what must stay. Positions are unchanged: a table in the new
 * file says where each run of them stands. The new file is whole, verified and durable under a name
 * of its own before it takes the place of the old one, so a crash at any point leaves one of the
 * two.
 */
import { assert, type LogRecord, position, type Position } from '@sagalog/kernel'
import type { DiskFile } from '@sagalog/kernel'
import { checksum } from './checksum.js'
import { frameCursor, judgeLoading } from './frame-cursor.js'
import { type KeptFrame, keptFrames } from './kept-frames.js'
import { REWRITE_BLOCK_BYTES } from './limits.js'
import type { Pace } from './pace.js'
import { decodePlaces, encodeRuns, type PlaceRun } from './places.js'
import { recordView } from './record-format.js'
import { encodeSeal } from './seal-format.js'
import { checkSegment, contentsOf } from './segment-check.js'
import { encodeSegmentHeader, REWRITE_SUFFIX, SEGMENT_HEADER_BYTES } from './segment-format.js'
import type { SegmentHeader } from './segment-format.js'
import { type DamagedRange, discard, type Segment, segmentOf, type SegmentPlan } from './segment.js'
import { writeFully } from './segment.js'

export interface RewriteOptions {
  readonly isKept: (record: LogRecord) => boolean
  /** Frames whose first records have the same key stand together; the order of keys is theirs. */
  readonly groupBy?: ((record: LogRecord) => string | number) | undefined
  readonly pace: Pace
}

/** The pace was stopped, or the segment is damaged: then it stays as it is. */
export type Unfinished = 'stopped' | { readonly damage: DamagedRange }

export type Rewritten = { readonly segment: Segment; readonly records: number } | Unfinished

/** Walks what of a segment must stay, frame by frame. */
async function* walkKept(
  segment: Segment,
  { isKept, pace }: Pick<RewriteOptions, 'isKept' | 'pace'>,
): AsyncGenerator<readonly KeptFrame[], Unfinished | undefined> {
  const { places, path, contentEnd } = segment
  assert(contentEnd !== undefined, 'where a closed segment ends is known')
  const cursor = frameCursor(segment, true)
  const recordAt = (index: number, at: number): LogRecord =>
    recordView(cursor.block, index, position(at), path)
  let seen = cursor.block
  let next = places.nextFrom(segment.first)
  while (next !== undefined && next < contentEnd) {
    if (next !== cursor.position) cursor.seek(next)
    const verdict = await judgeLoading(cursor)
    if (cursor.block !== seen) {
      seen = cursor.block
      if (!(await pace.spent(seen.length))) return 'stopped'
    }
    if (verdict !== 'valid') {
      return { damage: { file: path, from: next, to: contentEnd, reason: verdict } }
    }
    yield keptFrames(cursor.block, cursor.at, recordAt, isKept)
    cursor.step()
    next = places.nextFrom(cursor.position)
  }
  return undefined
}

/** Bytes of frames and records that must stay, no longer counted above `enough`. */
export async function measureKept(
  segment: Segment,
  options: Pick<RewriteOptions, 'isKept' | 'pace'>,
  enough: number,
): Promise<{ readonly bytes: number; readonly records: number } | Unfinished> {
  let [bytes, records] = [0, 0]
  const walk = walkKept(segment, options)
  for (let step = await walk.next(); ; step = await walk.next()) {
    if (step.done === true) return step.value ?? { bytes, records }
    for (const frame of step.value) {
      bytes += frame.bytes.length
      records += frame.records
    }
    if (bytes > enough) return { bytes, records }
  }
}

/** Makes the rewritten segment under its temporary name, durable and verified. */
export async function rewriteSegment(
  plan: SegmentPlan,
  segment: Segment,
  endBefore: Position,
  options: RewriteOptions,
): Promise<Rewritten> {
  const path = segment.path.replace(/\.seg$/, REWRITE_SUFFIX)
  const file = await plan.disk.open(path, { access: 'create', sync: 'on-demand' })
  try {
    const made = await writeKept(plan, segment, endBefore, file, options)
    if (made === 'stopped' || 'damage' in made) await discard(plan.disk, file, path)
    return made
  } catch (error) {
    await discard(plan.disk, file, path)
    throw error
  }
}

async function writeKept(
  plan: SegmentPlan,
  source: Segment,
  endBefore: Position,
  file: DiskFile,
  options: RewriteOptions,
): Promise<Rewritten> {
  const writer = new KeptWriter(file)
  const grouped: KeptFrame[] = []
  const walk = walkKept(source, options)
  for (let step = await walk.next(); ; step = await walk.next()) {
    if (step.done === true) {
      if (step.value === undefined) break
      return step.value
    }
    for (const frame of step.value) {
      if (options.groupBy === undefined) await writer.add(frame)
      else grouped.push({ ...frame, bytes: Buffer.from(frame.bytes) })
    }
  }
  if (options.groupBy !== undefined) {
    for (const frame of inGroups(grouped, options.groupBy)) await writer.add(frame)
  }
  const { seal, contentEnd } = source
  assert(seal !== undefined && contentEnd !== undefined, 'what is rewritten was sealed')
  const table = await writer.finish()
  const { base, generation, segmentBytes } = source
  const { tablePlace, runs } = table
  const header: SegmentHeader = {
    base,
    generation,
    segmentBytes,
    rewritten: {
      tablePlace,
      runs,
      tableChecksum: checksum(table.bytes, 0, table.bytes.length),
      end: contentEnd,
      epoch: seal.epoch,
      endBefore,
    },
  }
  await writeFully(file, encodeSegmentHeader(header), 0)
  const places = decodePlaces(table.bytes, tablePlace + table.bytes.length)
  assert(places !== undefined, 'runs are sorted and do not overlap')
  const segment = segmentOf({ ...plan, placesOf: () => places }, header, file)
  return sealRewritten(segment, source, writer, options.pace)
}

/** Reads the new file back before anything relies on it. */
async function sealRewritten(
  segment: Segment,
  { seal }: Segment,
  { frames, records }: KeptWriter,
  pace: Pace,
): Promise<Rewritten> {
  assert(seal !== undefined && segment.contentEnd !== undefined, 'what is rewritten was sealed')
  const checked = await checkSegment(segment, segment.contentEnd, pace, true)
  const contents = await contentsOf(segment, pace)
  if (checked === undefined || contents === undefined) return 'stopped'
  if (checked.damage !== undefined) return { damage: checked.damage }
  const isWhole = checked.frames === frames && checked.records === records
  assert(isWhole, 'a rewritten segment has every record that was kept')
  segment.seal = { ...seal, frames, records, contents }
  await writeFully(segment.file, encodeSeal(segment, segment.seal), segment.places.fileBytes)
  await segment.file.sync()
  return { segment, records }
}

/** By key in the order in which keys first come, and by position within a key. */
function inGroups(
  frames: readonly KeptFrame[],
  groupBy: (record: LogRecord) => string | number,
): readonly KeptFrame[] {
  const groups = new Map<string | number, KeptFrame[]>()
  for (const frame of frames) {
    const key = groupBy(frame.first)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [frame])
    else group.push(frame)
  }
  return [...groups.values()].flat()
}

/** Lays frames one behind the other, and keeps the table of where they went. */
class KeptWriter {
  readonly #file: DiskFile
  readonly #runs: PlaceRun[] = []
  #block: Buffer[] = []
  #blockBytes = 0
  #blockPlace = SEGMENT_HEADER_BYTES
  frames = 0
  records = 0

  constructor(file: DiskFile) {
    this.#file = file
  }

  async add({ position: from, bytes, records }: KeptFrame): Promise<void> {
    const place = this.#blockPlace + this.#blockBytes
    const last = this.#runs.at(-1)
    // Frames that stand together in both ways are one run.
    const isNext = last?.from !== undefined && last.from + last.bytes === from
    if (last !== undefined && isNext && last.place + last.bytes === place) {
      this.#runs[this.#runs.length - 1] = { ...last, bytes: last.bytes + bytes.length }
    } else this.#runs.push({ from: position(from), bytes: bytes.length, place })
    this.frames += 1
    this.records += records
    this.#block.push(bytes)
    this.#blockBytes += bytes.length
    if (this.#blockBytes >= REWRITE_BLOCK_BYTES) await this.#writeBlock()
  }

  async #writeBlock(): Promise<void> {
    await writeFully(this.#file, Buffer.concat(this.#block), this.#blockPlace)
    this.#blockPlace += this.#blockBytes
    this.#block = []
    this.#blockBytes = 0
  }

  async finish(): Promise<{ tablePlace: number; runs: number; bytes: Buffer }> {
    await this.#writeBlock()
    const runs = this.#runs.toSorted((one, other) => one.from - other.from)
    const bytes = encodeRuns(runs)
    const tablePlace = this.#blockPlace
    await writeFully(this.#file, bytes, tablePlace)
    return { tablePlace, runs: runs.length, bytes }
  }
}
