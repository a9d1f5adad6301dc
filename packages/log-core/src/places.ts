/**
 * Where a position stands in its segment's file. Positions never change; places do, once a segment
 * has been rewritten with only what must stay. Nothing else in the package turns one into the
 * other.
 */
import { assert, type Position } from '@sagalog/kernel'

export interface Places {
  /** The file offset of the byte at `at`, or undefined when the file no longer holds it. */
  placeOf(at: Position): number | undefined
  /** The first position from `at` on that the file holds, or undefined when none is left. */
  nextFrom(at: Position): Position | undefined
  /** Bytes of the whole file. */
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

/** Of a rewritten segment: `runs` are sorted by position and do not overlap. */
export function tablePlaces(runs: readonly PlaceRun[], fileBytes: number): Places {
  for (let index = 1; index < runs.length; index += 1) {
    const [before, after] = [runs[index - 1], runs[index]]
    assert(before !== undefined && after !== undefined, 'both runs are in the table')
    assert(before.from + before.bytes <= after.from, 'runs are sorted and do not overlap')
  }
  /** The number of runs that begin at or before `at`. */
  function begunAt(at: Position): number {
    let low = 0
    let high = runs.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((runs[middle]?.from ?? 0) <= at) low = middle + 1
      else high = middle
    }
    return low
  }
  return {
    fileBytes,
    placeOf(at) {
      const run = runs[begunAt(at) - 1]
      if (run === undefined || at >= run.from + run.bytes) return undefined
      return run.place + (at - run.from)
    },
    nextFrom(at) {
      const begun = begunAt(at)
      const run = runs[begun - 1]
      if (run !== undefined && at < run.from + run.bytes) return at
      return runs[begun]?.from
    },
  }
}
