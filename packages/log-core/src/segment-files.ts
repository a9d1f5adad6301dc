/**
 * Opens the segments of a directory and checks that they belong together: each is where its name
 * says, none is missing between the start of the log and its newest segment, and none is another
 * log's. What an earlier process left half done is told apart from damage. It reads headers and
 * seals, never frames, and changes nothing.
 */
import { type Disk, type DiskFile, DiskError, position, type Position } from '@sagalog/kernel'
import { checksum } from './checksum.js'
import { LogError } from './errors.js'
import { FRAME_HEADER_BYTES, frameGeneration, isFrameMagic } from './frame-format.js'
import { type LogStart, readStart, START_NAME, START_TEMPORARY_NAME } from './log-start.js'
import { decodePlaces, RUN_BYTES } from './places.js'
import { decodeSeal, SEAL_BYTES } from './seal-format.js'
import { baseOfName, decodeSegmentHeader, FORMAT_VERSION } from './segment-format.js'
import { REWRITE_SUFFIX, SEGMENT_HEADER_BYTES, SPARE_SUFFIX } from './segment-format.js'
import type { SegmentHeader } from './segment-format.js'
import { type DamagedRange, pathOf, readFully, type Segment, segmentOf } from './segment.js'
import type { SegmentPlan } from './segment.js'

/** What stands in the directory. */
export interface SegmentFiles {
  /** By base, without a gap; what is missing or damaged has a place in the row all the same. */
  readonly segments: readonly Segment[]
  /** Nothing at or above it was taken out; the base of the first segment. */
  readonly start: Position
  /** Files that a retirement, a rewriting or a preparation left, whole or half done. */
  readonly leftovers: readonly string[]
  /** The newest segment when it was never finished: no frame can be there. */
  readonly unfinished: string | undefined
  /** In the order of positions. */
  readonly damage: readonly DamagedRange[]
}

/**
 * Undefined when the directory holds no log. Damage is thrown as CORRUPT, or with `isTolerant`
 * listed, and then files are opened for reading only. Throws FORMAT_UNSUPPORTED for what is newer.
 */
export async function openSegmentFiles(
  plan: SegmentPlan,
  isTolerant: boolean,
): Promise<SegmentFiles | undefined> {
  const { disk, directory } = plan
  const names = await disk.list(directory)
  const leftovers = names.filter(isLeftover).map((name) => `${directory}/${name}`)
  const started = names.includes(START_NAME) ? await readStart(disk, directory) : 'none'
  const bases = names.map(baseOfName).filter((base) => base !== undefined)
  if (bases.length === 0 && started === 'none') return undefined

  const files: SegmentFile[] = []
  for (const base of bases) files.push(await openSegmentFile(plan, base, isTolerant))
  const row = new SegmentRow(plan, isTolerant, {
    start: typeof started === 'string' ? position(0) : started.start,
    segmentBytes: typeof started === 'string' ? usualSegmentBytes(files) : started.segmentBytes,
  })
  if (started === 'damaged') row.startIsDamaged(bases[0] ?? position(0))
  for (const file of files) {
    // Retired, and its file not removed yet.
    if (file.base < row.start) {
      leftovers.push(file.path)
      await file.file.close()
    } else await row.add(file, file === files.at(-1))
  }
  if (typeof started === 'object') row.expect(started.start)
  return { ...row.found(), leftovers }
}

const isLeftover = (name: string): boolean =>
  name.endsWith(REWRITE_SUFFIX) || name.endsWith(SPARE_SUFFIX) || name === START_TEMPORARY_NAME

/** One file with the name of a segment, and what its header says. */
interface SegmentFile {
  readonly path: string
  readonly base: Position
  readonly file: DiskFile
  readonly bytes: number
  readonly header: SegmentHeader | undefined
  readonly fault: string | undefined
}

async function openSegmentFile(
  { disk, directory }: Pick<SegmentPlan, 'disk' | 'directory'>,
  base: Position,
  isReadOnly: boolean,
): Promise<SegmentFile> {
  const path = pathOf(directory, base)
  const access = isReadOnly ? 'read' : 'write'
  const file = await disk.open(path, { access, sync: 'on-demand' })
  const first = Buffer.alloc(SEGMENT_HEADER_BYTES)
  const got = await readFully(file, first, 0)
  const bytes = await file.size()
  const verdict = decodeSegmentHeader(first.subarray(0, got))
  if ('header' in verdict) {
    return { path, base, file, bytes, header: verdict.header, fault: undefined }
  }
  if (verdict.fault === 'newer') {
    const detail = { what: 'format version', found: verdict.version, known: FORMAT_VERSION }
    throw new LogError('FORMAT_UNSUPPORTED', { file: path, ...detail })
  }
  const fault = `the segment header is ${verdict.fault}`
  return { path, base, file, bytes, header: undefined, fault }
}

/** What most of the headers say: one of another log may be among them. 0 when none can be read. */
function usualSegmentBytes(files: readonly SegmentFile[]): number {
  const counts = new Map<number, number>()
  for (const { header } of files) {
    if (header === undefined) continue
    counts.set(header.segmentBytes, (counts.get(header.segmentBytes) ?? 0) + 1)
  }
  const [most] = [...counts].toSorted(([, one], [, other]) => other - one)
  return most?.[0] ?? 0
}

/** A hole of more segments than this is no hole: a file with such a name is not of this log. */
const HOLE_SEGMENTS_MAX = 1 << 16

/** The row of segments as it is put together, from the start of the log upwards. */
class SegmentRow {
  readonly #plan: SegmentPlan
  readonly #isTolerant: boolean
  readonly #segments: Segment[] = []
  readonly #damage: DamagedRange[] = []
  readonly #segmentBytes: number
  #unfinished: string | undefined
  start: Position

  constructor(plan: SegmentPlan, isTolerant: boolean, { start, segmentBytes }: LogStart) {
    this.#plan = plan
    this.#isTolerant = isTolerant
    this.start = start
    this.#segmentBytes = segmentBytes
  }

  found(): Omit<SegmentFiles, 'leftovers'> {
    const { start } = this
    const [segments, damage, unfinished] = [this.#segments, this.#damage, this.#unfinished]
    return { segments, start, damage, unfinished }
  }

  #damaged(file: string, from: Position, to: Position, reason: string): DamagedRange {
    if (!this.#isTolerant) throw new LogError('CORRUPT', { file, position: from, reason })
    const range = { file, from, to, reason }
    this.#damage.push(range)
    return range
  }

  /** What was retired is not known then; what is there can be read. */
  startIsDamaged(first: Position): void {
    const reason = 'the start of the log is damaged'
    this.#damaged(`${this.#plan.directory}/${START_NAME}`, position(0), first, reason)
    this.start = first
  }

  #nextBase(): Position {
    const last = this.#segments.at(-1)
    return last === undefined ? this.start : position(last.base + this.#segmentBytes)
  }

  /** Every segment up to the one at `base` is there, or is damage. */
  expect(base: Position): void {
    while (this.#nextBase() <= base) {
      const missing = this.#nextBase()
      this.#stub(missing, absentFile(pathOf(this.#plan.directory, missing)), 'it is missing')
    }
  }

  /** A segment of which nothing can be said but where it should be. */
  #stub(base: Position, file: DiskFile, reason: string): void {
    const segmentBytes = this.#segmentBytes
    const segment = segmentOf(this.#plan, { base, generation: 0, segmentBytes }, file)
    const to = position(base + segmentBytes)
    segment.damage.push(this.#damaged(segment.path, base, to, reason))
    this.#segments.push(segment)
  }

  /** Only the header is lost: frames say themselves which use of the file they belong to. */
  async #headless({ base, file, path }: SegmentFile, reason: string): Promise<void> {
    const first = position(base + SEGMENT_HEADER_BYTES)
    const range = this.#damaged(path, base, first, reason)
    const frame = Buffer.alloc(FRAME_HEADER_BYTES)
    await readFully(file, frame, SEGMENT_HEADER_BYTES)
    const generation = isFrameMagic(frame, 0) ? frameGeneration(frame, 0) : 0
    const header = { base, generation, segmentBytes: this.#segmentBytes }
    const segment = segmentOf(this.#plan, header, file)
    segment.damage.push(range)
    this.#segments.push(segment)
  }

  async add(found: SegmentFile, isNewest: boolean): Promise<void> {
    const { base, header, file, fault, path } = found
    if (isNewest && (await isUnfinished(found))) {
      this.#unfinished = path
      await file.close()
      return
    }
    const hole = (base - this.#nextBase()) / this.#segmentBytes
    if (!Number.isInteger(hole) || hole < 0 || hole > HOLE_SEGMENTS_MAX) {
      // Without a single header that verifies, where segments begin is not known either.
      const reason = this.#segmentBytes === 0 ? fault : 'no segment begins at this position'
      this.#damaged(path, base, base, reason ?? 'the segment header is wrong')
      await file.close()
      return
    }
    if (hole > 0) this.expect(position(base - this.#segmentBytes))
    const foreign = header === undefined ? undefined : this.#foreign(found, header)
    if (header === undefined) await this.#headless(found, fault ?? 'the segment header is wrong')
    else if (foreign !== undefined) this.#stub(base, file, foreign)
    else this.#segments.push(await this.#segmentIn(found, header))
  }

  #foreign({ base }: SegmentFile, header: SegmentHeader): string | undefined {
    if (header.base !== base) return `the header is that of position ${header.base}`
    if (header.segmentBytes === this.#segmentBytes) return undefined
    return `its segments have ${header.segmentBytes} bytes, the log's ${this.#segmentBytes}`
  }

  async #segmentIn({ file, bytes, path }: SegmentFile, header: SegmentHeader): Promise<Segment> {
    const plan = await this.#planFor(file, bytes, header)
    const segment = segmentOf(plan ?? this.#plan, header, file)
    const { base, segmentBytes } = header
    const end = position(base + segmentBytes)
    if (plan === undefined) {
      segment.damage.push(this.#damaged(path, base, end, 'the table of places is damaged'))
    }
    const { fileBytes } = segment.places
    if (plan !== undefined && bytes < fileBytes) {
      const from = position(Math.min(end, base + bytes))
      segment.damage.push(this.#damaged(path, from, end, 'the file is too short'))
    }
    const last = Buffer.alloc(SEAL_BYTES)
    const got = bytes < fileBytes + SEAL_BYTES ? 0 : await readFully(file, last, fileBytes)
    segment.seal = decodeSeal(header, last.subarray(0, got))
    segment.contentEnd ??= segment.seal?.end
    return segment
  }

  /** The plan with the places of this segment; undefined when its table does not verify. */
  async #planFor(
    file: DiskFile,
    bytes: number,
    { rewritten }: SegmentHeader,
  ): Promise<SegmentPlan | undefined> {
    if (rewritten === undefined) return this.#plan
    const { tablePlace, runs, tableChecksum } = rewritten
    const tableBytes = runs * RUN_BYTES
    if (tablePlace + tableBytes > bytes) return undefined
    const table = Buffer.alloc(tableBytes)
    await readFully(file, table, tablePlace)
    if (checksum(table, 0, tableBytes) !== tableChecksum) return undefined
    const places = decodePlaces(table, tablePlace + tableBytes)
    return places === undefined ? undefined : { ...this.#plan, placesOf: () => places }
  }
}

/**
 * Frames are written only once the header is durable: only the newest segment may be unfinished,
 * and then nothing stands behind its header.
 */
async function isUnfinished({ header, file }: SegmentFile): Promise<boolean> {
  return header === undefined && (await isBlankBehindHeader(file))
}

/** Stands for a file that is not there. */
function absentFile(path: string): DiskFile {
  const gone = (): Promise<never> => Promise.reject(new DiskError('NOT_FOUND', { path }))
  return {
    path,
    read: () => Promise.resolve(0),
    size: () => Promise.resolve(0),
    close: () => Promise.resolve(),
    write: gone,
    sync: gone,
    prepare: gone,
    adopt: gone,
    truncate: gone,
    writtenEnd: 0,
    syncedEnd: 0,
  }
}

async function isBlankBehindHeader(file: DiskFile): Promise<boolean> {
  const block = Buffer.alloc(1 << 16)
  const zeros = Buffer.alloc(block.length)
  for (let place = SEGMENT_HEADER_BYTES; ; place += block.length) {
    const got = await readFully(file, block, place)
    if (got === 0) return true
    if (block.compare(zeros, 0, got, 0, got) !== 0) return false
  }
}

/** The generation in the header of a spare file; undefined when it has none that verifies. */
export async function generationOfSpare(disk: Disk, path: string): Promise<number | undefined> {
  const file = await disk.open(path, { access: 'read', sync: 'on-demand' })
  try {
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
    const got = await readFully(file, bytes, 0)
    const verdict = decodeSegmentHeader(bytes.subarray(0, got))
    if (!('header' in verdict) || verdict.header.rewritten !== undefined) return undefined
    return verdict.header.generation
  } finally {
    await file.close()
  }
}
