/**
 * One segment: a file of fixed logical size at a fixed base. It knows positions and places, never
 * what a record means. Bytes are written only forward; what is durable is asked of its file.
 */
import { assert, type Disk, type DiskFile, position, type Position } from '@sagalog/kernel'
import type { SyncMode } from '@sagalog/kernel'
import { asLogError, LogError } from './errors.js'
import type { Places, PlacesOf } from './places.js'
import { type Seal, SEAL_BYTES } from './seal-format.js'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from './segment-format.js'
import type { SegmentHeader } from './segment-format.js'

/** Positions whose bytes are not what was written there. */
export interface DamagedRange {
  readonly file: string
  readonly from: Position
  /** The end of it: the next thing that verifies, or the end of the segment. */
  readonly to: Position
  readonly reason: string
}

export interface Segment extends SegmentHeader {
  readonly path: string
  readonly places: Places
  readonly file: DiskFile
  /** Where its first frame stands. */
  readonly first: Position
  /** The end of its frames once the log has rolled to the next one, as far as it is known. */
  contentEnd: Position | undefined
  /** The checksum over the whole file, once it has one. */
  seal: Seal | undefined
  /** What was found damaged in it. */
  readonly damage: DamagedRange[]
  /** Those who read its file now; it stays as it is until they have left. */
  readers: number
  /** Told when the last of them has left. */
  onUnused: (() => void) | undefined
}

export interface SegmentPlan {
  readonly disk: Disk
  readonly directory: string
  readonly placesOf: PlacesOf
}

/** The file of a retired segment, to be used again. */
export interface SpareFile {
  readonly path: string
  /** Of its last use. */
  readonly generation: number
}

export const pathOf = (directory: string, base: Position): string =>
  `${directory}/${segmentName(base)}`

/** Where the first frame stands in the file: everything before it is header. */
export function firstPlace(segment: Pick<Segment, 'first' | 'places'>): number {
  const place = segment.places.placeOf(segment.first)
  assert(place !== undefined && place >= SEGMENT_HEADER_BYTES, 'a frame stands behind the header')
  return place
}

/** The end of the file's bytes that hold the positions below `end`. */
export function placeOfEnd(segment: Segment, end: Position): number {
  const last = segment.places.placeOf(position(end - 1))
  return last === undefined ? segment.places.fileBytes : last + 1
}

export function segmentOf(
  plan: Pick<SegmentPlan, 'directory' | 'placesOf'>,
  header: SegmentHeader,
  file: DiskFile,
): Segment {
  return {
    ...header,
    path: pathOf(plan.directory, header.base),
    places: plan.placesOf(header.base, header.segmentBytes),
    file,
    first: position(header.base + SEGMENT_HEADER_BYTES),
    contentEnd: header.rewritten?.end,
    seal: undefined,
    damage: [],
    readers: 0,
    onUnused: undefined,
  }
}

/** From now until `leave` the segment's file is neither closed nor used again. */
export function enter(segment: Segment): void {
  segment.readers += 1
}

export function leave(segment: Segment): void {
  segment.readers -= 1
  assert(segment.readers >= 0, 'who leaves a segment had entered it')
  if (segment.readers === 0) segment.onUnused?.()
}

/** Damage is known from now on, and told once. */
export function noteDamage(segment: Segment, damage: DamagedRange): void {
  if (!segment.damage.some(({ from }) => from === damage.from)) segment.damage.push(damage)
}

/** A file that the disk can not read is damaged, wherever that is; anything else is thrown on. */
export function unreadable(segment: Segment, error: unknown): DamagedRange {
  if (!LogError.is(error) || error.code !== 'IO') throw error
  const { path: file, base, segmentBytes } = segment
  const reason = error.message.replace(/^\w+: /, '')
  return { file, from: base, to: position(base + segmentBytes), reason }
}

/** Writes all bytes, however short the single writes are. */
export async function writeFully(file: DiskFile, bytes: Uint8Array, at: number): Promise<void> {
  let done = 0
  while (done < bytes.length) {
    const taken = await file.write(done === 0 ? bytes : bytes.subarray(done), at + done)
    assert(taken > 0, 'a write takes at least one byte or fails')
    done += taken
  }
}

/** Reads until `into` is full or the file ends; gives the bytes read. Rejects with LogError. */
export async function readFully(file: DiskFile, into: Uint8Array, at: number): Promise<number> {
  let done = 0
  try {
    while (done < into.length) {
      const got = await file.read(done === 0 ? into : into.subarray(done), at + done)
      if (got === 0) break
      done += got
    }
  } catch (error) {
    throw asLogError(error, file.path.slice(0, file.path.lastIndexOf('/')))
  }
  return done
}

/**
 * Makes a segment that can take frames: zeros, header and directory entry are durable when it
 * resolves. What fails in between is removed again as far as possible.
 *
 * A spare file keeps its name until its zeros and its new header are durable: a crash before leaves
 * a spare that the next start removes, never a segment with frames of an earlier use.
 */
export async function createSegment(
  plan: SegmentPlan,
  header: SegmentHeader,
  sync: SyncMode,
  spare?: SpareFile,
): Promise<Segment> {
  const path = pathOf(plan.directory, header.base)
  const made = spare?.path ?? path
  const access = spare === undefined ? 'create' : 'write'
  const file = await plan.disk.open(made, { access, sync })
  try {
    const segment = segmentOf(plan, header, file)
    await file.prepare(segment.places.fileBytes + SEAL_BYTES)
    // The header takes all bytes before the first frame, so that the file's account has no gap.
    const bytes = Buffer.alloc(firstPlace(segment))
    encodeSegmentHeader(header).copy(bytes)
    await writeFully(file, bytes, 0)
    if (sync === 'on-demand') await file.sync()
    if (made !== path) await plan.disk.rename(made, path)
    await plan.disk.syncDirectory(plan.directory)
    return segment
  } catch (error) {
    await discard(plan.disk, file, made)
    throw error
  }
}

/** Closes and removes a file that was not finished, as far as that is possible. */
export async function discard(disk: Disk, file: DiskFile, path: string): Promise<void> {
  try {
    await file.close()
    await disk.remove(path)
  } catch {
    // The next opening finds what is left over and removes it.
  }
}
