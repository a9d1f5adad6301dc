/**
 * Where a position stands in its segment's file. Positions never change; places do, once a segment
 * has been rewritten with only what must stay. Nothing else in the package turns one into the
 * other.
 */
import { assert, position, type Position } from '@sagalog/kernel'
import { readPosition, writePosition } from './record-format.js'

export interface Places {
  /** The file offset of the byte at `at`, or undefined when the file no longer holds it. */
  placeOf(at: Position): number | undefined
  /** The first position from `at` on that the file holds, or undefined when none is left. */
  nextFrom(at: Position): Position | undefined
  /** Bytes of the whole file, without the seal. */
  readonly fileBytes: number
}

/** Makes the lookup of one segment from its base and its logical bytes. */
export type PlacesOf = (base: Position, segmentBytes: number) => Places

/** Of a segment as it was first written: the place is the distance from the base. */
export const identityPlaces: PlacesOf = (base, segmentBytes) => ({
  placeOf: (at) => (at >= base && at < base + segmentBytes ? at - base : undefined),
  nextFrom: (at) => (at >= base && at < base + segmentBytes ? at : undefined),
  fileBytes: segmentBytes,
})

/** A run of positions that stand together in a rewritten file. */
export interface PlaceRun {
  readonly from: Position
  readonly bytes: number
  readonly place: number
}

/** `from` u64, `bytes` u32, `place` u32, little-endian. */
export const RUN_BYTES = 16

/** The table of a rewritten segment as it stands in its file. */
export function encodeRuns(runs: readonly PlaceRun[]): Buffer {
  const table = Buffer.alloc(runs.length * RUN_BYTES)
  for (const [index, run] of runs.entries()) {
    writePosition(table, index * RUN_BYTES, run.from)
    table.writeUInt32LE(run.bytes, index * RUN_BYTES + 8)
    table.writeUInt32LE(run.place, index * RUN_BYTES + 12)
  }
  return table
}

/** Of a rewritten segment: `runs` are sorted by position and do not overlap. */
export function tablePlaces(runs: readonly PlaceRun[], fileBytes: number): Places {
  const places = decodePlaces(encodeRuns(runs), fileBytes)
  assert(places !== undefined, 'runs are sorted and do not overlap')
  return places
}

/**
 * The lookup in a table as it stands in its file, kept as bytes: 16 for each run. Undefined when
 * its runs are not sorted, overlap, or leave the file.
 */
export function decodePlaces(table: Buffer, fileBytes: number): Places | undefined {
  const count = table.length / RUN_BYTES
  const fromOf = (index: number): number => readPosition(table, index * RUN_BYTES)
  const bytesOf = (index: number): number => table.readUInt32LE(index * RUN_BYTES + 8)
  const placeOf = (index: number): number => table.readUInt32LE(index * RUN_BYTES + 12)
  let before = 0
  for (let index = 0; index < count; index += 1) {
    if (fromOf(index) < before || placeOf(index) + bytesOf(index) > fileBytes) return undefined
    before = fromOf(index) + bytesOf(index)
  }
  if (!Number.isSafeInteger(before)) return undefined

  /** The number of runs that begin at or before `at`. */
  function begunAt(at: Position): number {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >> 1
      if (fromOf(middle) <= at) low = middle + 1
      else high = middle
    }
    return low
  }
  return {
    fileBytes,
    placeOf(at) {
      const run = begunAt(at) - 1
      if (run < 0 || at >= fromOf(run) + bytesOf(run)) return undefined
      return placeOf(run) + (at - fromOf(run))
    },
    nextFrom(at) {
      const begun = begunAt(at)
      if (begun > 0 && at < fromOf(begun - 1) + bytesOf(begun - 1)) return at
      return begun < count ? position(fromOf(begun)) : undefined
    },
  }
}
