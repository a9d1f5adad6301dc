/** Ranges of the log as it is stored: memory and file give the same bytes, damage is found. */
import { position, type Position } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import type { FrameRangeOptions, Log } from '../src/index.js'
import { appendSoon, countingReads, DIRECTORY, draft, world } from './world.js'

/** All ranges from `from` to the end, each with where it stands. */
async function ranges(log: Log, from = log.start, options?: FrameRangeOptions) {
  const found: { from: Position; bytes: Buffer }[] = []
  for (let at = from; ;) {
    const range = await log.readFrames(at, options)
    if (range.bytes.length === 0) return { found, next: range.next }
    found.push({ from: range.from, bytes: range.bytes })
    at = range.next
  }
}

async function filled(seed: number, options: { cacheBytes?: number; records?: number } = {}) {
  const one = world(seed)
  const process = one.start()
  const counting = countingReads(process.disk)
  const { cacheBytes = 1 << 20, records = 200 } = options
  const log = await one.drive(process.open({ disk: counting.disk, cacheBytes }))
  for (let n = 0; n < records; n += 3) {
    const texts = [`${n}`, `record ${n}`, 'x'.repeat(n)]
    const { end } = await one.drive(appendSoon(log, texts.map(draft)))
    await one.drive(log.waitFor(end, 'sync'))
  }
  return { ...one, log, counting }
}

describe('frames as they are stored', () => {
  it('are what the files hold, from memory without a read and from the file', async () => {
    for (const cacheBytes of [0, 1500, 1 << 20]) {
      const { log, drive, disk, counting } = await filled(1, { cacheBytes })
      const before = counting.reads
      for (const bytesMax of [1, 500, 1 << 20]) {
        const { found, next } = await drive(ranges(log, log.start, { bytesMax }))
        expect(next).toBe(log.watermark('sync'))
        for (const { from, bytes } of found) {
          const base = from - (from % 4096)
          const file = disk.contents(`${DIRECTORY}/${base.toString(16).padStart(16, '0')}.seg`)
          expect(file?.subarray(from - base, from - base + bytes.length).equals(bytes)).toBe(true)
        }
        const all = found.reduce((sum, { bytes }) => sum + bytes.length, 0)
        expect(all).toBe(log.stats.appended)
        // A frame is never cut: with room for one byte each range is one frame.
        if (bytesMax === 1) expect(found).toHaveLength(log.stats.frames)
      }
      if (cacheBytes > 1500) expect(counting.reads).toBe(before)
      else expect(counting.reads).toBeGreaterThan(before)
    }
  })

  it('end at the level: what is not written, or not durable, is not handed over', async () => {
    const { start, drive, pass } = world(2)
    const log = await drive(start().open({ durability: 'os' }))
    const { end } = await drive(appendSoon(log, [draft('a')]))
    expect((await drive(ranges(log))).next).toBeLessThan(end)
    await drive(log.waitFor(end, 'os'))
    expect((await drive(ranges(log))).next).toBe(end)
    expect((await drive(ranges(log, log.start, { level: 'sync' }))).next).toBeLessThan(end)
    await pass(2000)
    expect((await drive(ranges(log, log.start, { level: 'sync' }))).next).toBeGreaterThan(end)
  })

  it('begin where a frame begins, and nowhere else', async () => {
    for (const cacheBytes of [0, 1 << 20]) {
      const { log, drive } = await filled(3, { cacheBytes, records: 30 })
      const { from } = (await drive(ranges(log, log.start, { bytesMax: 1 }))).found[3] ?? {
        from: position(0),
      }
      for (const wrong of [position(from + 8), position(from + 1), position(from + 40)]) {
        for (const verify of [true, false]) {
          await expect(drive(log.readFrames(wrong, { verify }))).rejects.toMatchObject({
            code: 'POSITION_UNKNOWN',
          })
        }
      }
      await drive(log.close())
      await expect(log.readFrames(from)).rejects.toMatchObject({ code: 'CLOSED' })
    }
  })

  it('are verified unless asked otherwise; damage is named, what stands before it is given', async () => {
    const { log, drive, disk } = await filled(4, { cacheBytes: 0, records: 30 })
    const { found } = await drive(ranges(log, log.start, { bytesMax: 1 }))
    const [third, fourth] = [found[2], found[3]]
    if (third === undefined || fourth === undefined) throw new Error('four frames at least')
    // The body of its first record, behind the two headers.
    disk.flipBit(`${DIRECTORY}/${'0'.repeat(16)}.seg`, (third.from + 52) * 8)
    const { bytes, next } = await drive(log.readFrames(log.start))
    expect(next).toBe(third.from)
    expect(bytes.length).toBe(third.from - log.start)
    await expect(drive(log.readFrames(third.from))).rejects.toMatchObject({
      code: 'CORRUPT',
      detail: { position: third.from, reason: 'a record checksum is wrong' },
    })
    const unverified = await drive(log.readFrames(third.from, { verify: false, bytesMax: 1 }))
    expect(unverified.next).toBe(fourth.from)
  })

  it('a damaged frame header is damage, not a wrong position', async () => {
    const { log, drive, disk } = await filled(5, { cacheBytes: 0, records: 30 })
    const { found } = await drive(ranges(log, log.start, { bytesMax: 1 }))
    const at = found[2]?.from ?? position(0)
    disk.flipBit(`${DIRECTORY}/${'0'.repeat(16)}.seg`, at * 8)
    for (const verify of [true, false]) {
      await expect(drive(log.readFrames(at, { verify }))).rejects.toMatchObject({
        code: 'CORRUPT',
        detail: { position: at },
      })
    }
  })
})
