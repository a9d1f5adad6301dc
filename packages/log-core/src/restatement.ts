/**
 * A restatement: the live facts of all folds as records at the tail, between two marks. It is
 * appended in slices, with other work in between, and counts only once its end mark is there. The
 * end mark names its begin mark, so that one that a crash cut short is never taken for whole.
 */
import {
  assert,
  bytesDraft,
  type Clock,
  type Draft,
  type Fold,
  type LogRecord,
  turn,
} from '@sagalog/kernel'
import { position, type Position } from '@sagalog/kernel'
import type { Log } from './api.js'
import { FRAME_HEADER_BYTES } from './frame-format.js'
import { RESTATE_SLICE_BYTES, RESTATE_SLICE_DRAFTS } from './limits.js'
import { readPosition, RECORD_HEADER_BYTES, writePosition } from './record-format.js'

export interface Restating {
  readonly log: Log
  readonly clock: Clock
  readonly folds: readonly Fold[]
  /** The log's append, without telling the folds what they said themselves. */
  readonly append: Log['append']
  /** Resolves when appends may be tried again; rejects when the log failed. */
  readonly whenRoom: () => Promise<void>
}

/** The marks of a whole restatement. */
export interface RestatementMarks {
  readonly begin: Position
  readonly end: Position
}

/** Appends one whole restatement; resolves with its marks and the end of its last frame. */
export async function restateFolds(
  restating: Restating,
): Promise<{ marks: RestatementMarks; end: Position }> {
  for (;;) {
    const restated = await restateOnce(restating)
    if (restated !== undefined) return restated
  }
}

/** Undefined when a slice grew stale while it waited for room: then all begins again. */
async function restateOnce(
  restating: Restating,
): Promise<{ marks: RestatementMarks; end: Position } | undefined> {
  const { log, clock, folds } = restating
  const { at: begin } = await appendMark(restating, 'restatement-begin', Buffer.alloc(0))
  const drafts = draftsOf(folds)
  for (;;) {
    // A draft holds its value as of when it is taken, so it is appended in the same turn.
    const bytesMax = Math.min(RESTATE_SLICE_BYTES, log.frameBytesMax)
    while (!log.hasRoom(bytesMax)) await restating.whenRoom()
    const slice = takeSlice(drafts, bytesMax)
    if (slice.length === 0) break
    if (!(await appendSlice(restating, slice))) return undefined
    await turn(clock)
  }
  const body = Buffer.alloc(8)
  writePosition(body, 0, begin)
  const ended = await appendMark(restating, 'restatement-end', body)
  return { marks: { begin, end: ended.at }, end: ended.end }
}

function* draftsOf(folds: readonly Fold[]): Generator<Draft, void> {
  for (const fold of folds) yield* fold.restate()
}

/** Up to half of `bytesMax`, so that the last one still fits into the frame. */
function takeSlice(drafts: Generator<Draft, void>, bytesMax: number): Draft[] {
  const slice: Draft[] = []
  for (let bytes = FRAME_HEADER_BYTES; bytes < bytesMax / 2;) {
    const next = slice.length < RESTATE_SLICE_DRAFTS ? drafts.next() : undefined
    if (next === undefined || next.done === true) break
    slice.push(next.value)
    bytes += RECORD_HEADER_BYTES + next.value.bytes
  }
  return slice
}

/** False when something else was appended before the slice found room. */
async function appendSlice(restating: Restating, slice: readonly Draft[]): Promise<boolean> {
  const before = restating.log.watermark('memory')
  for (;;) {
    if (typeof restating.append(slice) === 'object') return true
    await restating.whenRoom()
    if (restating.log.watermark('memory') !== before) return false
  }
}

async function appendMark(
  restating: Restating,
  kind: 'restatement-begin' | 'restatement-end',
  body: Buffer,
): Promise<{ at: Position; end: Position }> {
  for (;;) {
    const appended = restating.append([bytesDraft(kind, body)])
    if (typeof appended === 'object') {
      const at = appended.records[0]?.position
      assert(at !== undefined, 'a mark is a record')
      return { at, end: appended.end }
    }
    await restating.whenRoom()
  }
}

const isMark = (kind: LogRecord['kind']): boolean =>
  kind === 'restatement-begin' || kind === 'restatement-end'

/** The marks that an end mark closes. */
export const marksAt = (end: LogRecord): RestatementMarks => ({
  begin: position(readPosition(end.source, end.start)),
  end: end.position,
})

export function encodeMarks({ begin, end }: RestatementMarks): Buffer {
  const bytes = Buffer.alloc(16)
  writePosition(bytes, 0, begin)
  writePosition(bytes, 8, end)
  return bytes
}

export const decodeMarks = (bytes: Buffer): RestatementMarks => ({
  begin: position(readPosition(bytes, 0)),
  end: position(readPosition(bytes, 8)),
})

/** The last whole restatement in the log. */
export async function findRestatement(log: Log): Promise<RestatementMarks | undefined> {
  const begun = new Set<Position>()
  let found: RestatementMarks | undefined
  for await (const records of log.scan(log.start, { select: isMark })) {
    for (const record of records) {
      if (record.kind === 'restatement-begin') {
        begun.add(record.position)
      } else {
        const marks = marksAt(record)
        if (begun.has(marks.begin)) found = marks
      }
    }
  }
  return found
}
