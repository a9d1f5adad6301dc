/** What is left of a frame is frames: each verifies, and each record stays at its position. */
import { bytesDraft, type LogRecord, position } from '@sagalog/kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { frameBytes, frameBytesOf, judgeFrame, sealFrame } from '../src/frame-format.js'
import { Gather } from '../src/gather.js'
import { keptFrames } from '../src/kept-frames.js'
import { identityPlaces } from '../src/places.js'
import { isRecordValid, recordLength, recordView } from '../src/record-format.js'
import type { Segment } from '../src/segment.js'
import { runs } from './world.js'

const records = fc.array(fc.record({ size: fc.nat(120), isKept: fc.boolean() }), {
  minLength: 1,
  maxLength: 12,
})

/** One sealed frame at position 4096, made by the log's own gather. */
function frameOf(sizes: readonly number[]) {
  const base = position(4096)
  const places = identityPlaces(base, 1 << 20)
  const segment = { base, first: base, segmentBytes: 1 << 20, generation: 3, places, path: 'x' }
  const gather = new Gather({ cacheBytes: 1 << 20, end: base, epoch: 5 })
  const drafts = sizes.map((size, n) => bytesDraft('message', Buffer.alloc(size, n + 1)))
  const made = gather.append(segment as Segment, drafts, frameBytesOf(drafts))
  const buffer = made.records[0]?.source ?? Buffer.alloc(0)
  sealFrame(buffer, 0, 4000)
  return { buffer, records: made.records }
}

const viewIn =
  (buffer: Buffer) =>
  (index: number, at: number): LogRecord =>
    recordView(buffer, index, position(at), 'x')

function judge(bytes: Buffer, at: number) {
  const bytesMax = bytes.length
  const expected = { generation: 3, epochMin: 5, position: at, bytesMax, withBodies: true }
  return judgeFrame(bytes, 0, bytes.length, expected)
}

function positionsIn(bytes: Buffer, at: number): number[] {
  const found: number[] = []
  for (let index = 40, count = bytes.readUInt32LE(12); count > 0; count -= 1) {
    expect(isRecordValid(bytes, index, bytes.length, at + index)).toBe(true)
    found.push(at + index)
    index += 12 + recordLength(bytes, index)
  }
  return found
}

describe('kept frames', () => {
  it('verify, do not overlap, and hold every record that is kept and few others', () => {
    fc.assert(
      fc.property(records, (given) => {
        const { buffer, records: all } = frameOf(given.map(({ size }) => size))
        const wanted = all.filter((_, n) => given[n]?.isKept).map(({ position: at }) => at)
        const frames = keptFrames(buffer, 0, viewIn(buffer), ({ position: at }) =>
          wanted.includes(at),
        )
        const held: number[] = []
        let end = 4096
        for (const { position: at, bytes, records: count, first } of frames) {
          expect(judge(bytes, at)).toBe('valid')
          expect(at).toBeGreaterThanOrEqual(end)
          end = at + bytes.length
          const found = positionsIn(bytes, at)
          expect(found).toHaveLength(count)
          expect(found[0]).toBe(first.position)
          held.push(...found)
        }
        expect(end).toBeLessThanOrEqual(4096 + frameBytes(buffer, 0))
        expect(wanted.filter((at) => !held.includes(at))).toEqual([])
        if (wanted.length === 0) expect(frames).toEqual([])
        if (wanted.length === all.length)
          expect(frames[0]?.bytes.length).toBe(frameBytes(buffer, 0))
        // What nobody needs goes wherever the hole is large enough. Where the last record stays,
        // some before it may stay too, for the sake of its padding.
        const isEndKept = given.at(-1)?.isKept === true
        for (const [n, at] of isEndKept ? [] : wanted.slice(0, -1).entries()) {
          const from = all.find(({ position: one }) => one === at)?.end ?? 0
          const to = (wanted[n + 1] ?? 0) - 4096
          const inside = held.filter((one) => one - 4096 >= from && one - 4096 < to)
          if (to - from >= 48) expect(inside).toEqual([])
        }
        // What is left of what is left, with the same needs, is the same.
        for (const { position: at, bytes } of frames) {
          const again = keptFrames(bytes, 0, viewIn(bytes), (record) =>
            wanted.includes(record.position),
          )
          expect(again.every((frame) => judge(frame.bytes, frame.position) === 'valid')).toBe(true)
          const still = again.flatMap((frame) => positionsIn(frame.bytes, frame.position))
          expect(wanted.filter((one) => one > at && one < at + bytes.length)).toEqual(
            still.filter((one) => wanted.includes(one as never)),
          )
        }
      }),
      runs(300, 5000),
    )
  })

  it('leaves out what is large enough to leave a hole', () => {
    const { buffer, records: all } = frameOf([10, 100, 10, 100, 4])
    const keep = (indices: readonly number[]) =>
      keptFrames(buffer, 0, viewIn(buffer), (record) =>
        indices.includes(
          all.indexOf(all.find(({ position: at }) => at === record.position) ?? record),
        ),
      ).map(({ records: count }) => count)
    expect(keep([0, 2])).toEqual([1, 1])
    expect(keep([1])).toEqual([1])
    expect(keep([])).toEqual([])
    expect(keep([0, 1, 2, 3, 4])).toEqual([5])
    // Not the last one alone: its padding would leave the frame, so what stands before it stays.
    expect(keep([4]).reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(2)
  })
})
