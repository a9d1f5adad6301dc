/**
 * Torn tail or damage: every byte of a small log flipped, every tail lost, files gone. Whatever is
 * handed over is right; what was proven durable is never cut.
 */
import { type LogRecord, position } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import { checksum } from '../src/checksum.js'
import { type Log, LogError } from '../src/index.js'
import { framePosition } from '../src/frame-format.js'
import { encodeSegmentHeader } from '../src/segment-format.js'
import { appendSoon, DIRECTORY, draft, isFullRun, readAll, textOf, world } from './world.js'
import type { World } from './world.js'

type Image = ReadonlyMap<string, Buffer>

const TEXTS = Array.from({ length: 14 }, (_, n) => `record ${n} ${'.'.repeat((n * 13) % 60)}`)
const SEGMENT = 512

/** Bytes from one flipped bit to the next: no divisor of a field's size, so every field is met. */
const STRIDE = isFullRun ? 1 : 7

function imageOf({ disk }: World): Image {
  return new Map(disk.paths().map((path) => [path, disk.contents(path) ?? Buffer.alloc(0)]))
}

async function makeImage(isClosed: boolean): Promise<Image> {
  const made = world(1)
  // Frames are all that is known of them: what a seal adds has a test of its own.
  const options = { segmentBytes: SEGMENT, sealBytesPerSecond: 0 }
  const log = await made.drive(made.start().open(options))
  for (const text of TEXTS) {
    const { end } = await made.drive(appendSoon(log, [draft(text)]))
    await made.drive(log.waitFor(end, 'sync'))
  }
  // Lets the next segment be prepared.
  await made.pass(20)
  if (isClosed) await made.drive(log.close())
  return imageOf(made)
}

/** What an opening finds: its records, or the error that says why not, and the log if it opened. */
async function openImage(image: Image, change: (path: string, bytes: Buffer) => void) {
  const { disk, start, drive } = world(2)
  for (const [path, bytes] of image) {
    const copy = Buffer.from(bytes)
    change(path, copy)
    disk.putFile(path, copy)
  }
  let log: Log | undefined
  try {
    log = await drive(start().open({ segmentBytes: SEGMENT }))
    return { texts: await drive(readAll(log)), report: log.report, disk, drive, log }
  } catch (error) {
    if (!LogError.is(error)) throw error
    return { error, disk, drive, log }
  }
}

async function recordsOf(log: Log): Promise<LogRecord[]> {
  const all: LogRecord[] = []
  for await (const records of log.scan(log.start)) all.push(...records)
  return all
}

/** The segments with frames, and the place where the frames of the last one end. */
async function tailOf(image: Image) {
  const { report } = await openImage(image, () => undefined)
  if (report === undefined) throw new Error('the image opens')
  const active = Math.floor((report.end - 1) / SEGMENT)
  const paths = [...image.keys()].filter((path) => path.endsWith('.seg'))
  const path = paths[active] ?? ''
  return { path, end: report.end - active * SEGMENT, active, paths, report }
}

describe('a closed log', () => {
  it('detects every flipped bit that matters, and hands over nothing that is wrong', async () => {
    const image = await makeImage(true)
    const { paths, active, end } = await tailOf(image)
    let detected = 0
    for (const [index, path] of paths.entries()) {
      for (let at = index; at < SEGMENT; at += STRIDE) {
        const found = await openImage(image, (changed, bytes) => {
          if (changed === path) bytes[at] = (bytes[at] ?? 0) ^ (1 << (at & 7))
        })
        if (found.error !== undefined) {
          expect(found.error.code).toBe('CORRUPT')
          expect(found.error.detail['file']).toBe(path)
          detected += 1
        } else {
          // Only what holds no record: the proof at the tail, room that is not used, a spare file.
          expect(found.texts).toEqual(TEXTS)
          const isTail = index === active && at >= end - 40
          expect(isTail || index > active || at >= 300, `${path} ${at}`).toBe(true)
        }
      }
    }
    expect(detected).toBeGreaterThan(1000 / STRIDE)
  }, 120_000)

  it('a record with a flipped bit is refused at its position, the others are not', async () => {
    const image = await makeImage(true)
    const intact = await openImage(image, () => undefined)
    if (intact.log === undefined) throw new Error('the image opens')
    const records = await intact.drive(recordsOf(intact.log))
    let refused = 0
    for (const { position: damaged, end, start } of records) {
      const inSegment = damaged % SEGMENT
      const bytes = end - start + 12
      for (let at = damaged % STRIDE; at < bytes; at += STRIDE) {
        const { log, drive } = await openImage(image, (path, content) => {
          const index = inSegment + at
          const base = Number.parseInt(path.slice(-20, -4), 16)
          if (base !== damaged - inSegment) return
          content[index] = (content[index] ?? 0) ^ (1 << (at & 7))
        })
        // In the newest segment the opening refuses it already.
        if (log === undefined) continue
        await expect(drive(log.read(damaged))).rejects.toMatchObject({ code: 'CORRUPT' })
        refused += 1
        const other = records.find(({ position: where }) => where !== damaged)
        if (other !== undefined) {
          expect(textOf(await drive(log.read(other.position)))).toBe(textOf(other))
        }
      }
    }
    expect(refused).toBeGreaterThan(200 / STRIDE)
  }, 120_000)

  it('below the watermark a lost tail is damage, and nothing is touched', async () => {
    const image = await makeImage(true)
    const { path, end } = await tailOf(image)
    for (let at = 64; at < end - 40; at += 8) {
      const found = await openImage(image, (changed, bytes) => {
        // The proof at the tail stays: it knows what was durable.
        if (changed === path) bytes.fill(0, at, Math.min(at + 40, end - 40))
      })
      expect(found.error?.code).toBe('CORRUPT')
      const kept = found.disk.contents(path)
      expect(kept?.subarray(end - 40, end)).toEqual(image.get(path)?.subarray(end - 40, end))
    }
  })

  it('a lost end of the segment before the last is found at the opening', async () => {
    const image = await makeImage(true)
    const { paths, active } = await tailOf(image)
    const before = paths[active - 1] ?? ''
    const found = await openImage(image, (path, bytes) => {
      const lastFrame = bytes.lastIndexOf('SGF1')
      if (path === before) bytes.fill(0, lastFrame)
    })
    expect(found.log).toBeUndefined()
    expect(found.error).toMatchObject({ code: 'CORRUPT', detail: { file: before } })
  })

  it('the newest segment with a wrong header or cut short is damage, and stays', async () => {
    const image = await makeImage(true)
    const { path, end, paths, active } = await tailOf(image)
    // Without the segments behind it that are prepared.
    const spare = new Set(paths.slice(active + 1))
    const newest = new Map([...image].filter(([name]) => !spare.has(name)))
    const content = image.get(path) ?? Buffer.alloc(0)
    const headless = Buffer.from(content).fill(0, 0, 64)
    for (const damaged of [headless, content.subarray(0, end)]) {
      const found = await openImage(new Map(newest).set(path, damaged), () => undefined)
      expect(found.error).toMatchObject({ code: 'CORRUPT', detail: { file: path } })
      expect(found.disk.contents(path)).toEqual(damaged)
    }
  })

  it('a frame that claims more than stood before it is none', async () => {
    const image = await makeImage(true)
    const { path, end } = await tailOf(image)
    const found = await openImage(image, (changed, bytes) => {
      if (changed !== path) return
      const at = end - 40
      bytes.writeUInt32LE(framePosition(bytes, at) + 8, at + 32)
      // The checksum leaves itself out; the frame has no records.
      const sum = checksum(bytes, at + 12, at + 40, checksum(bytes, at, at + 8, 0))
      bytes.writeUInt32LE(sum, at + 8)
    })
    expect(found.texts).toEqual(TEXTS)
    expect(found.report?.ambiguousBytes).toBeGreaterThan(30)
  })

  it('a missing, short or foreign segment is damage', async () => {
    const image = await makeImage(true)
    const [first = '', second = ''] = image.keys()
    const without = (path: string): Image => new Map([...image].filter(([name]) => name !== path))
    for (const path of [first, second]) {
      expect((await openImage(without(path), () => undefined)).error?.code).toBe('CORRUPT')
    }
    const short = new Map(image).set(first, (image.get(first) ?? Buffer.alloc(0)).subarray(0, 400))
    expect((await openImage(short, () => undefined)).error?.code).toBe('CORRUPT')
    const foreign = new Map(image).set(second, image.get(first) ?? Buffer.alloc(0))
    expect((await openImage(foreign, () => undefined)).error?.code).toBe('CORRUPT')
  })
})

describe('a log that was killed', () => {
  it('cuts the last frame wherever it was torn, keeps all before, and says so', async () => {
    const image = await makeImage(false)
    const { path, end } = await tailOf(image)
    const last = Buffer.from(TEXTS.at(-1) ?? '')
    const start = end - Math.ceil((52 + last.length) / 8) * 8
    for (let at = start; at < end; at += 1) {
      const found = await openImage(image, (changed, bytes) => {
        if (changed === path) bytes.fill(0, at, end)
      })
      // The end of a frame may be padding, which is zero anyway.
      if (found.texts?.length === TEXTS.length) {
        expect(end - at).toBeLessThan(8)
        continue
      }
      expect(found.texts).toEqual(TEXTS.slice(0, -1))
      expect(found.report?.end).toBe(
        (found.report?.start ?? 0) - 64 + Number.parseInt(path.slice(5, 21), 16) + start,
      )
      expect(found.report?.ambiguousBytes ?? 0).toBeLessThanOrEqual(at - start)
      if (at > start + 4) expect(found.report?.cut?.file).toBe(path)
    }
  })

  it('a hole before a whole frame of the same write is a torn tail, and both go', async () => {
    const made = world(5)
    const log = await made.drive(made.start().open({ segmentBytes: 4096 }))
    const safe = await made.drive(appendSoon(log, [draft('safe')]))
    await made.drive(log.waitFor(safe.end, 'sync'))
    // Two frames that leave in one write.
    log.append([draft('a'.repeat(100))])
    const second = await made.drive(appendSoon(log, [draft('b'.repeat(100))]))
    await made.drive(log.waitFor(second.end, 'sync'))
    const found = await openImage(imageOf(made), (path, bytes) => {
      if (path.endsWith('0000.seg') && bytes.length > 0) bytes.fill(0, safe.end, safe.end + 100)
    })
    expect(found.texts).toEqual(['safe'])
    expect(found.report?.ambiguousBytes).toBeGreaterThan(100)
    const path = `${DIRECTORY}/0000000000000000.seg`
    // Behind the cut stands the first frame of this opening, and nothing else.
    const rest = found.disk.contents(path)?.subarray(safe.end + 40) ?? Buffer.alloc(1, 1)
    expect(rest.every((byte) => byte === 0)).toBe(true)
  })

  it('a hole before a frame of a later write is damage', async () => {
    const made = world(6)
    const log = await made.drive(made.start().open({ segmentBytes: 4096 }))
    const [first, second] = [draft('a'.repeat(100)), draft('b'.repeat(100))]
    for (const one of [first, second]) {
      const { end } = await made.drive(appendSoon(log, [one]))
      await made.drive(log.waitFor(end, 'sync'))
    }
    const found = await openImage(imageOf(made), (path, bytes) => {
      if (path.endsWith('0000.seg') && bytes.length > 0) bytes.fill(0, 64, 104)
    })
    expect(found.error).toMatchObject({
      code: 'CORRUPT',
      detail: { file: `${DIRECTORY}/0000000000000000.seg`, position: 64 },
    })
  })

  it('a segment that was cut and comes back after newer frames is not taken', async () => {
    const made = world(7)
    const settings = { segmentBytes: SEGMENT }
    const log = await made.drive(made.start().open(settings))
    for (const text of ['a'.repeat(150), 'b'.repeat(200)]) {
      const { end } = await made.drive(appendSoon(log, [draft(text)]))
      await made.drive(log.waitFor(end, 'sync'))
    }
    const [first = '', second = ''] = made.disk.paths()
    const returning = made.disk.contents(second) ?? Buffer.alloc(0)
    expect(returning.includes('b'.repeat(200))).toBe(true)
    // The next opening sees the second segment empty, and goes on in the first.
    const cut = await openImage(imageOf(made), (path, bytes) => {
      if (path === second) bytes.fill(0, 64)
    })
    expect(cut.texts).toEqual(['a'.repeat(150)])
    const after = world(8)
    for (const path of [first, second]) {
      const bytes = cut.disk.contents(path) ?? Buffer.alloc(0)
      after.disk.putFile(path, bytes)
    }
    const next = await after.drive(after.start().open(settings))
    const { end } = await after.drive(appendSoon(next, [draft('c')]))
    expect(end).toBeLessThan(SEGMENT)
    await after.drive(next.waitFor(end, 'sync'))
    const found = await openImage(imageOf(after), (path, bytes) => {
      if (path === second) returning.copy(bytes)
    })
    expect(found.texts).toEqual(['a'.repeat(150), 'c'])
    expect(found.report?.ambiguousBytes).toBeGreaterThan(200)
  })

  it('a frame that was cut and comes back behind newer ones is not taken', async () => {
    const made = world(9)
    const log = await made.drive(made.start().open({ segmentBytes: SEGMENT }))
    const first = await made.drive(appendSoon(log, [draft('a')]))
    await made.drive(log.waitFor(first.end, 'sync'))
    // An empty frame follows, as long as the one that each opening begins with.
    await made.pass(3000)
    const last = await made.drive(appendSoon(log, [draft('c')]))
    await made.drive(log.waitFor(last.end, 'sync'))
    const path = `${DIRECTORY}/0000000000000000.seg`
    const returning = made.disk.contents(path) ?? Buffer.alloc(0)
    const cut = await openImage(imageOf(made), (changed, bytes) => {
      if (changed === path) bytes.fill(0, first.end)
    })
    expect(cut.report?.end).toBe(first.end)
    const found = await openImage(
      new Map([[path, cut.disk.contents(path) ?? returning]]),
      (_, bytes) => {
        returning.copy(bytes, first.end + 40, first.end + 40)
      },
    )
    expect(found.texts).toEqual(['a'])
    expect(found.report?.end).toBe(first.end + 40)
    expect(found.report?.ambiguousBytes).toBeGreaterThan(40)
  })

  it('a frame that was written to a wrong place is not taken', async () => {
    const made = world(11)
    const log = await made.drive(made.start().open({ segmentBytes: SEGMENT }))
    const { end } = await made.drive(appendSoon(log, [draft('a')]))
    await made.drive(log.waitFor(end, 'sync'))
    const found = await openImage(imageOf(made), (path, bytes) => {
      // The first frame of the opening, which holds no record, once more behind the end.
      if (path.endsWith('0000.seg')) bytes.copy(bytes, end, 64, 104)
    })
    expect(found.texts).toEqual(['a'])
    expect(found.report?.end).toBe(end)
    expect(found.report?.cut?.position).toBe(end)
  })

  it('frames of an earlier use of the file are not taken', async () => {
    const made = world(10)
    const log = await made.drive(made.start().open({ segmentBytes: SEGMENT }))
    const { end } = await made.drive(appendSoon(log, [draft('of the first use')]))
    await made.drive(log.waitFor(end, 'sync'))
    const header = encodeSegmentHeader({
      base: position(0),
      generation: 2,
      segmentBytes: SEGMENT,
    })
    const path = `${DIRECTORY}/0000000000000000.seg`
    const image = new Map([[path, made.disk.contents(path) ?? Buffer.alloc(0)]])
    const found = await openImage(image, (_, bytes) => header.copy(bytes))
    expect(found.texts).toEqual([])
    expect(found.report?.end).toBe(64)
    expect(found.report?.ambiguousBytes).toBeGreaterThan(40)
  })

  it('a newer format is refused as such', async () => {
    const image = await makeImage(true)
    const header = encodeSegmentHeader({ base: position(0), generation: 1, segmentBytes: SEGMENT })
    header.writeUInt32LE(3, 8)
    header.writeUInt32LE(checksum(header, 0, 60), 60)
    const found = await openImage(image, (path, bytes) => {
      if (path.endsWith('0000.seg')) header.copy(bytes)
    })
    expect(found.error?.code).toBe('FORMAT_UNSUPPORTED')
  })
})
