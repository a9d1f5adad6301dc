/**
 * A damaged log: by default it is not opened and not touched; opened for reading only, it gives all
 * that verifies and names all that does not.
 */
import { position, type Position } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import { type DamagedRange, type Log, LogError } from '../src/index.js'
import { encodeStart, START_NAME } from '../src/log-start.js'
import { encodeSegmentHeader } from '../src/segment-format.js'
import { appendSoon, DIRECTORY, draft, isFullRun, textOf, world } from './world.js'

type Image = ReadonlyMap<string, Buffer>

const SEGMENT = 512
const TEXTS = Array.from({ length: 14 }, (_, n) => `record ${n} ${'.'.repeat((n * 13) % 60)}`)

interface Written {
  readonly image: Image
  readonly places: ReadonlyMap<string, Position>
  /** Of the segments with frames. */
  readonly paths: readonly string[]
}

async function write(isSealed: boolean): Promise<Written> {
  const { start, drive, pass, disk } = world(1)
  const options = { segmentBytes: SEGMENT, ...(isSealed ? {} : { sealBytesPerSecond: 0 }) }
  const log = await drive(start().open(options))
  const places = new Map<string, Position>()
  for (const text of TEXTS) {
    const { records, end } = await drive(appendSoon(log, [draft(text)]))
    places.set(text, records[0]?.position ?? position(0))
    await drive(log.waitFor(end, 'sync'))
  }
  await pass(100)
  await drive(log.close())
  const image = new Map(disk.paths().map((path) => [path, disk.contents(path) ?? Buffer.alloc(0)]))
  const paths = [...image].filter(([, bytes]) => bytes.includes('SGF1')).map(([path]) => path)
  return { image, places, paths }
}

/** What of a damaged log can be read: by scan and by position, and what was passed over. */
async function open(image: Image, places: ReadonlyMap<string, Position>) {
  const { start, drive, disk } = world(2)
  for (const [path, bytes] of image) disk.putFile(path, bytes)
  const rejected = await drive(start().open({ segmentBytes: SEGMENT })).then(
    async (log) => {
      await drive(log.close())
      return undefined
    },
    (error: unknown) => error,
  )
  if (rejected !== undefined) {
    expect(LogError.is(rejected) && rejected.code).toBe('CORRUPT')
    expect(new Map(disk.paths().map((path) => [path, disk.contents(path)]))).toEqual(image)
  }
  const log = await drive(start().open({ segmentBytes: SEGMENT, onDamage: 'read-only' }))
  const skipped: DamagedRange[] = []
  const scanned: string[] = []
  const all = async (): Promise<void> => {
    for await (const records of log.scan(log.start, { skip: (range) => skipped.push(range) })) {
      scanned.push(...records.map(textOf))
    }
  }
  await drive(all())
  const single: string[] = []
  for (const [text, at] of places) {
    const record = await drive(log.read(at).catch((error: unknown) => error))
    if (record instanceof Error) {
      expect(LogError.is(record) && ['CORRUPT', 'POSITION_UNKNOWN'].includes(record.code)).toBe(
        true,
      )
    } else {
      expect(textOf(record as never)).toBe(text)
      single.push(text)
    }
  }
  return { log, scanned, single, skipped, rejected, disk, drive }
}

function changed(image: Image, path: string, change: (bytes: Buffer) => Buffer | undefined): Image {
  const copy = new Map(image)
  const bytes = change(Buffer.from(copy.get(path) ?? Buffer.alloc(0)))
  if (bytes === undefined) copy.delete(path)
  else copy.set(path, bytes)
  return copy
}

const flip = (at: number) => (bytes: Buffer) => {
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (at & 7))
  return bytes
}

async function strictScan(log: Log): Promise<void> {
  for await (const records of log.scan(log.start)) expect(records.length).toBeGreaterThan(0)
}

const inSegment = (at: Position, path: string): boolean =>
  Math.floor(at / SEGMENT) * SEGMENT === Number.parseInt(path.slice(-20, -4), 16)

describe.each([
  ['sealed', true],
  ['unsealed', false],
])('a log whose closed segments are %s', (_, isSealed) => {
  it('gives every record but those whose bytes are damaged', async () => {
    const { image, places, paths } = await write(isSealed)
    const stride = isFullRun ? 3 : 23
    let rejections = 0
    for (const [index, path] of paths.entries()) {
      for (let at = index; at < SEGMENT; at += stride) {
        const { scanned, single, rejected } = await open(changed(image, path, flip(at)), places)
        const lost = TEXTS.filter((text) => !single.includes(text))
        // One bit is in one record, or in none.
        expect(lost.length, `${path} ${at}`).toBeLessThanOrEqual(1)
        for (const text of lost) expect(inSegment(places.get(text) ?? position(0), path)).toBe(true)
        // A frame whose header is damaged hides its records from a scan, not from a read.
        expect(TEXTS.length - scanned.length, `${path} ${at}`).toBeLessThanOrEqual(1)
        expect(scanned).toEqual(TEXTS.filter((text) => scanned.includes(text)))
        if (rejected !== undefined) rejections += 1
      }
    }
    expect(rejections).toBeGreaterThan(10)
  }, 120_000)

  it.each<[string, (bytes: Buffer) => Buffer | undefined]>([
    ['missing', () => undefined],
    ['cut short', (bytes) => bytes.subarray(0, 200)],
    ['without a header', (bytes) => bytes.fill(0, 0, 64)],
    [
      'another segment',
      (bytes) => {
        const base = position(SEGMENT * 50)
        encodeSegmentHeader({ base, generation: 1, segmentBytes: SEGMENT }).copy(bytes)
        return bytes
      },
    ],
    [
      'of another log',
      (bytes) => {
        const header = { base: position(0), generation: 1, segmentBytes: SEGMENT * 2 }
        encodeSegmentHeader(header).copy(bytes)
        return bytes
      },
    ],
  ])('a segment that is %s: the others are read, and it is named', async (_what, change) => {
    const { image, places, paths } = await write(isSealed)
    for (const path of paths) {
      const damaged = changed(image, path, change)
      const { log, single, scanned, skipped, rejected, disk, drive } = await open(damaged, places)
      const others = TEXTS.filter((text) => !inSegment(places.get(text) ?? position(0), path))
      expect(single).toEqual(expect.arrayContaining(others))
      expect(scanned).toEqual(expect.arrayContaining(others))
      // Without a seal, nothing tells that the newest segment was there and is not.
      if (rejected === undefined) {
        expect([isSealed, path]).toEqual([false, paths.at(-1)])
        continue
      }
      expect(LogError.is(rejected) && rejected.detail['file']).toBe(path)
      expect(log.report).toMatchObject({ isReadOnly: true, cut: undefined, removed: [] })
      expect(log.report.quarantined[0]).toMatchObject({ file: path })
      expect(log.health.state).toBe('read-only')
      if (single.length < TEXTS.length && path !== paths.at(-1)) {
        expect(skipped.some(({ file }) => file === path)).toBe(true)
        await expect(drive(strictScan(log))).rejects.toMatchObject({
          code: 'CORRUPT',
          detail: { file: path },
        })
      }
      expect(() => log.append([draft('no')])).toThrow(/READ_ONLY/)
      expect(log.hasRoom(100)).toBe(true)
      await drive(log.close())
      expect(new Map(disk.paths().map((name) => [name, disk.contents(name)]))).toEqual(damaged)
    }
  })
})

describe('the start of the log', () => {
  it('tells a lost segment from a retired one', async () => {
    const { image, places, paths } = await write(true)
    const [first = '', second = '', third = ''] = paths
    const startPath = `${DIRECTORY}/${START_NAME}`
    const retired = new Map(image)
    retired.delete(first)
    const start = encodeStart({ start: position(SEGMENT), segmentBytes: SEGMENT })
    retired.set(startPath, start)
    const { log, scanned, rejected } = await open(retired, places)
    expect(rejected).toBeUndefined()
    expect(log.start).toBe(SEGMENT + 64)
    expect(scanned).toEqual(
      TEXTS.filter((text) => !inSegment(places.get(text) ?? position(0), first)),
    )
    // The same without the next one, and without a start that can be read.
    const lost = await open(
      changed(retired, second, () => undefined),
      places,
    )
    expect(LogError.is(lost.rejected) && lost.rejected.detail['file']).toBe(second)
    const unknown = await open(changed(retired, startPath, flip(20)), places)
    expect(LogError.is(unknown.rejected) && unknown.rejected.detail['file']).toBe(startPath)
    expect(unknown.scanned).toEqual(scanned)
    const forgotten = await open(
      changed(retired, startPath, () => undefined),
      places,
    )
    expect(LogError.is(forgotten.rejected) && forgotten.rejected.detail['file']).toBe(first)
    expect(third).not.toBe('')
  })

  it('alone, without a segment, is no new log', async () => {
    const { start, disk, drive } = world(3)
    const bytes = encodeStart({ start: position(SEGMENT), segmentBytes: SEGMENT })
    disk.putFile(`${DIRECTORY}/${START_NAME}`, bytes)
    await expect(drive(start().open({ segmentBytes: SEGMENT }))).rejects.toMatchObject({
      code: 'CORRUPT',
    })
  })
})
