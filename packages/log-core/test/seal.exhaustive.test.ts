/**
 * Closed segments are sealed, and a scrub finds whatever changes in them afterwards: every bit of
 * every sealed file flipped, whether a record stands there or not.
 */
import { type Disk, DiskError, type DiskFile, position } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import type { Log, ScrubReport } from '../src/index.js'
import { decodeSeal, SEAL_BYTES } from '../src/seal-format.js'
import { decodeSegmentHeader } from '../src/segment-format.js'
import { appendSoon, DIRECTORY, draft, isFullRun, readAll, world } from './world.js'

const SEGMENT = 512
const TEXTS = Array.from({ length: 14 }, (_, n) => `record ${n} ${'.'.repeat((n * 13) % 60)}`)
const pathOf = (base: number): string => `${DIRECTORY}/${base.toString(16).padStart(16, '0')}.seg`

async function filled(seed: number, options: { sealBytesPerSecond?: number } = {}) {
  const made = world(seed)
  const process = made.start()
  const log = await made.drive(process.open({ segmentBytes: SEGMENT, ...options }))
  for (const text of TEXTS) {
    const { end } = await made.drive(appendSoon(log, [draft(text)]))
    await made.drive(log.waitFor(end, 'sync'))
  }
  return { ...made, process, log }
}

function sealIn(bytes: Buffer | undefined) {
  const content = bytes ?? Buffer.alloc(0)
  const verdict = decodeSegmentHeader(content)
  if (!('header' in verdict)) throw new Error('the header verifies')
  return decodeSeal(verdict.header, content.subarray(SEGMENT))
}

const statesOf = (log: Log): string[] => log.report.states.map(({ state }) => state)

describe('sealing', () => {
  it('seals every segment once the log has rolled, and the next opening finds it so', async () => {
    const { log, pass, drive, disk, start } = await filled(1)
    await pass(100)
    expect(log.health).toEqual({ state: 'ok', damaged: [], unsealed: 0 })
    const paths = disk.paths().filter((path) => path.endsWith('.seg'))
    const seals = paths.map((path) => sealIn(disk.contents(path)))
    // The current segment and the one that is prepared have none.
    expect(seals.slice(0, -2).every((seal) => seal !== undefined)).toBe(true)
    expect(seals.slice(-2)).toEqual([undefined, undefined])
    expect(seals.reduce((sum, seal) => sum + (seal?.records ?? 0), 0)).toBeGreaterThan(8)
    await drive(log.close())
    const again = await drive(start().open({ segmentBytes: SEGMENT }))
    expect(statesOf(again)).toEqual([
      ...paths.slice(0, -2).map(() => 'sealed'),
      'active',
      'prepared',
    ])
  })

  it('seals after the next opening what a crash left unsealed', async () => {
    const { log, disk, process, start, drive, pass } = await filled(2, { sealBytesPerSecond: 0 })
    await pass(100)
    expect(log.health.unsealed).toBeGreaterThan(1)
    disk.killProcess(process.clock)
    const again = await drive(start().open({ segmentBytes: SEGMENT }))
    expect(statesOf(again)).toContain('unsealed')
    await pass(100)
    expect(again.health.unsealed).toBe(0)
    expect(await drive(readAll(again))).toEqual(TEXTS)
  })

  it('does not seal what is damaged, tells it, and goes on', async () => {
    const { log, disk, process, start, drive, pass } = await filled(3, { sealBytesPerSecond: 0 })
    disk.killProcess(process.clock)
    expect(log.health.unsealed).toBeGreaterThan(1)
    disk.flipBit(pathOf(0), 150 * 8)
    const again = await drive(start().open({ segmentBytes: SEGMENT }))
    await pass(100)
    expect(again.health).toMatchObject({
      state: 'damaged',
      damaged: [{ file: pathOf(0), reason: 'a record checksum is wrong' }],
      unsealed: 1,
    })
    await drive(again.waitFor((await drive(appendSoon(again, [draft('on')]))).end, 'sync'))
    expect(sealIn(disk.contents(pathOf(0)))).toBeUndefined()
  })

  it('gives a file that has no room for a seal one', async () => {
    const { log, disk, drive, start, pass } = await filled(4, { sealBytesPerSecond: 0 })
    await drive(log.close())
    for (const path of disk.paths()) {
      const bytes = disk.contents(path) ?? Buffer.alloc(0)
      if (path.endsWith('.seg')) disk.putFile(path, bytes.subarray(0, SEGMENT))
    }
    const again = await drive(start().open())
    await pass(100)
    expect(again.health).toMatchObject({ state: 'ok', unsealed: 0 })
    expect(disk.contents(pathOf(0))).toHaveLength(SEGMENT + SEAL_BYTES)
    expect(await drive(readAll(again))).toEqual(TEXTS)
  })

  it('a sealed segment whose next one is gone or empty is damage', async () => {
    const { log, disk, drive, pass, start } = await filled(5)
    await pass(100)
    await drive(log.close())
    const image = disk
      .paths()
      .map((path) => [path, disk.contents(path) ?? Buffer.alloc(0)] as const)
    const active = image.findLastIndex(([, bytes]) => bytes.includes('SGF1'))
    const [path = '', content] = image[active] ?? []
    const lose = async (change: 'gone' | 'empty') => {
      const other = world(6)
      for (const [name, bytes] of image.slice(0, active)) other.disk.putFile(name, bytes)
      if (change === 'empty') {
        other.disk.putFile(path, Buffer.from(content ?? '').fill(0, 64))
      }
      await expect(
        other.drive(other.start().open({ segmentBytes: SEGMENT })),
      ).rejects.toMatchObject({ code: 'CORRUPT', detail: { file: path } })
    }
    await lose('gone')
    await lose('empty')
    expect(start).toBeDefined()
  })

  it('ends with the log when a seal can not be written', async () => {
    const { log, disk, drive, start, pass, process } = await filled(7, { sealBytesPerSecond: 0 })
    disk.killProcess(process.clock)
    const again = await drive(start().open({ segmentBytes: SEGMENT }))
    expect(log.failure).toBeUndefined()
    disk.failNextSync()
    await pass(100)
    expect(again.failure).toMatchObject({ code: 'FLUSH_FAILED' })
    expect(again.health.state).toBe('failed')
  })
})

describe('a scrub', () => {
  it('finds every single flipped bit of a sealed segment', async () => {
    const { log, drive, pass, disk } = await filled(8)
    await pass(100)
    const sealed = disk.paths().filter((path) => sealIn(disk.contents(path)) !== undefined)
    expect(sealed.length).toBeGreaterThan(2)
    const clean = await drive(log.scrub().done)
    expect(clean).toMatchObject({ damaged: [], resealed: 0, isComplete: true })
    expect(clean.segments).toBe(sealed.length + 1)
    // A stride that is no divisor of a field: every field of one file or another is met.
    const stride = isFullRun ? 1 : 11
    let resealed = 0
    for (const [index, path] of sealed.entries()) {
      for (let bit = index; bit < (SEGMENT + SEAL_BYTES) * 8; bit += stride) {
        disk.flipBit(path, bit)
        const report = await drive(log.scrub({ bytesPerSecond: 1 << 30 }).done)
        if (bit < SEGMENT * 8) {
          expect(report.damaged, `${path} ${bit}`).toHaveLength(1)
          expect(report.damaged[0]?.file).toBe(path)
          const [{ from, to } = { from: position(0), to: position(0) }] = report.damaged
          expect(from).toBeLessThan(to)
          disk.flipBit(path, bit)
        } else {
          // The seal is computed from the rest, and so it is put right.
          expect(report, `${path} ${bit}`).toMatchObject({ damaged: [], resealed: 1 })
          resealed += 1
        }
      }
    }
    expect(resealed).toBeGreaterThan(100 / stride)
    expect(await drive(log.scrub().done)).toMatchObject({ damaged: [], resealed: 0 })
  }, 120_000)

  it('tells where the damage is, in the health too, and reads on', async () => {
    const { log, drive, pass, disk } = await filled(9)
    await pass(100)
    disk.flipBit(pathOf(SEGMENT), (SEGMENT - 1) * 8)
    const seen: string[] = []
    const scrubbing = log.scrub({ onSegment: ({ file }) => seen.push(file) })
    const { damaged } = await drive(scrubbing.done)
    expect(damaged).toEqual([
      {
        file: pathOf(SEGMENT),
        from: position(SEGMENT * 2 - 1),
        to: position(SEGMENT * 2),
        reason: 'the unused end of the segment is not zero',
      },
    ])
    expect(log.health).toMatchObject({ state: 'damaged', damaged })
    expect(seen[0]).toBe(pathOf(0))
    expect(await drive(readAll(log))).toEqual(TEXTS)
  })

  it('is begun again and again while the log is open, when it is asked for', async () => {
    const { log, drive, disk, start, pass } = await filled(11)
    await pass(100)
    await drive(log.close())
    const reports: ScrubReport[] = []
    const scrub = { everyMs: 1000, onReport: (report: ScrubReport) => reports.push(report) }
    const again = await drive(start().open({ segmentBytes: SEGMENT, scrub }))
    await pass(1500)
    expect(reports).toMatchObject([{ damaged: [], isComplete: true }])
    disk.flipBit(pathOf(0), 300 * 8)
    await pass(1500)
    expect(reports[1]?.damaged).toMatchObject([{ file: pathOf(0) }])
    expect(again.health.state).toBe('damaged')
    await drive(again.close())
    await pass(3000)
    expect(reports).toHaveLength(2)
  })

  it('takes a file that can not be read for damaged, and the log goes on', async () => {
    const { log, drive, process, start, disk, pass } = await filled(12, { sealBytesPerSecond: 0 })
    disk.killProcess(process.clock)
    expect(log.health.unsealed).toBeGreaterThan(1)
    const own = start()
    let isBroken = false
    const breaking: Disk = {
      ...own.disk,
      async open(path, options) {
        const file = await own.disk.open(path, options)
        const read: DiskFile['read'] = (into, at) =>
          isBroken && path === pathOf(0)
            ? Promise.reject(new DiskError('IO', { operation: 'read', path, reason: 'EIO' }))
            : file.read(into, at)
        return { ...file, read }
      },
    }
    const again = await drive(own.open({ segmentBytes: SEGMENT, disk: breaking }))
    isBroken = true
    const { damaged } = await drive(again.scrub().done)
    expect(damaged).toMatchObject([{ file: pathOf(0), from: 0, to: SEGMENT }])
    await pass(100)
    expect(again.failure).toBeUndefined()
    expect(again.health).toMatchObject({ state: 'damaged', unsealed: 1 })
  })

  it('keeps to its pace, ends when it is stopped, and with the log', async () => {
    const { log, drive, pass, time } = await filled(10)
    await pass(100)
    const startedMs = time.nowMs()
    const slow = await drive(log.scrub({ bytesPerSecond: 10_000 }).done)
    // Sealed segments are read once.
    expect(time.nowMs() - startedMs).toBeGreaterThan((slow.segments - 1) * SEGMENT * 0.1)
    const stopped = log.scrub({ bytesPerSecond: 1000 })
    await pass(1)
    stopped.stop()
    expect(await drive(stopped.done, 10)).toMatchObject({ isComplete: false })
    const cut = log.scrub({ bytesPerSecond: 1 })
    await drive(log.close())
    expect(await drive(cut.done, 10)).toMatchObject({ isComplete: false })
    expect(() => log.scrub()).toThrow(/CLOSED/)
  })
})
