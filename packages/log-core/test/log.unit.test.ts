/** The log on a disk where nothing goes wrong, and where one thing does. */
import { type Disk, DiskError, position } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import { frameBytesOf, LogError, openFolds } from '../src/index.js'
import { checkpointBytes } from './checkpoint-bytes.js'
import { ledger } from './ledger.js'
import { appendSoon, DIRECTORY, draft, readAll, textOf, world } from './world.js'

const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => `record ${n}`)

describe('append and read', () => {
  it('gives records their place at once and reads them back by position, memory or disk', async () => {
    const { start, drive } = world(1)
    const log = await drive(start().open({ cacheBytes: 512 }))
    const positions = []
    for (const text of numbers(300)) {
      const { records, end } = await drive(appendSoon(log, [draft(text)]))
      positions.push(records[0]?.position ?? position(0))
      if (positions.length % 50 === 0) await drive(log.waitFor(end, 'sync'))
    }
    for (const [n, at] of positions.entries()) {
      expect(textOf(await drive(log.read(at)))).toBe(`record ${n}`)
    }
    expect(log.peek(positions[0] ?? position(0))).toBeUndefined()
    expect(await drive(readAll(log))).toEqual(numbers(300))
    expect(await drive(readAll(log, positions[123]))).toEqual(numbers(300).slice(123))
    await drive(log.close())
    expect(() => log.append([draft('late')])).toThrow(/CLOSED/)
  })

  it('reads what is not written yet from memory, however small the cache', async () => {
    const { start, drive, pass } = world(17)
    const log = await drive(start().open({ cacheBytes: 256 }))
    const first = await drive(appendSoon(log, [draft('a')]))
    const written = log.waitFor(first.end, 'os')
    // The write of the first one has begun; the others wait, the last one in a slab of its own.
    await pass(0.01)
    for (const text of ['b', 'c'.repeat(200)]) log.append([draft(text)])
    await drive(written)
    expect(log.watermark('os')).toBe(first.end)
    expect(await drive(readAll(log))).toEqual(['a', 'b', 'c'.repeat(200)])
  })

  it('keeps one frame whole and its drafts in order', async () => {
    const { start, drive } = world(2)
    const log = await drive(start().open())
    const { records, end } = await drive(appendSoon(log, numbers(40).map(draft)))
    expect(records.map(textOf)).toEqual(numbers(40))
    expect(log.isSafe(end, 'memory')).toBe(true)
    expect(log.isSafe(end, 'sync')).toBe(false)
    await drive(log.waitFor(end, 'sync'))
    expect(log.isSafe(end, 'sync')).toBe(true)
    // The first frame of an opening is empty. A write that was short needs another one.
    expect(log.stats).toMatchObject({ frames: 2, records: 40, syncs: 2 })
  })

  it('opens again where it ended, and reports a clean tail', async () => {
    const { start, drive } = world(3)
    const first = await drive(start().open())
    for (const text of numbers(100)) await drive(appendSoon(first, [draft(text)]))
    await drive(first.close())
    const log = await drive(start().open())
    expect(log.report).toMatchObject({ ambiguousBytes: 0, cut: undefined, removed: [] })
    expect(log.report.end - log.report.watermark).toBe(40)
    expect(await drive(readAll(log))).toEqual(numbers(100))
    await drive(appendSoon(log, [draft('more')]))
    expect((await drive(readAll(log))).at(-1)).toBe('more')
  })

  it('refuses what a segment cannot hold, and positions that hold no record', async () => {
    const { start, drive } = world(4)
    const log = await drive(start().open())
    const large = [draft(Buffer.alloc(4096))]
    expect(frameBytesOf(large)).toBeGreaterThan(log.frameBytesMax)
    expect(() => log.append(large)).toThrow(/RECORD_TOO_LARGE/)
    const { records, end } = await drive(appendSoon(log, [draft('one'), draft('two')]))
    await drive(log.waitFor(end, 'sync'))
    await drive(log.close())
    const again = await drive(start().open())
    const at = records[1]?.position ?? position(0)
    expect(textOf(await drive(again.read(at)))).toBe('two')
    for (const wrong of [position(at + 1), again.start, position(1 << 20), position(0)]) {
      await expect(drive(again.read(wrong))).rejects.toMatchObject({ code: 'POSITION_UNKNOWN' })
    }
  })

  it('is refused to a second opener and free after a close or a kill', async () => {
    const { start, drive, disk } = world(5)
    const one = start()
    const log = await drive(one.open())
    await expect(drive(start().open())).rejects.toMatchObject({ code: 'LOCKED' })
    await drive(log.close())
    const two = start()
    await drive(two.open())
    disk.killProcess(two.clock)
    await drive(start().open())
  })
})

describe('levels', () => {
  it('os: written long before durable, durable soon after, and at once when waited for', async () => {
    const { start, drive, pass } = world(6)
    const log = await drive(start().open({ durability: 'os' }))
    const first = await drive(appendSoon(log, [draft('a')]))
    await drive(log.waitFor(first.end, 'os'))
    expect(log.watermark('os')).toBe(first.end)
    expect(log.isSafe(first.end, 'os')).toBe(true)
    expect(log.isSafe(first.end, 'sync')).toBe(false)
    await pass(600)
    expect(log.isSafe(first.end, 'sync')).toBe(true)
    expect(log.watermark('sync')).toBeGreaterThanOrEqual(first.end)
    const second = await drive(appendSoon(log, [draft('b')]))
    await drive(log.waitFor(second.end, 'sync'), 50)
    expect(log.isSafe(second.end, 'sync')).toBe(true)
  })

  it('a wait for less ends first, whenever it began', async () => {
    const { start, drive } = world(15)
    // Each frame has a slab of its own, and so a write of its own.
    const log = await drive(start().open({ cacheBytes: 0 }))
    const [first, second] = [log.append([draft('a')]), log.append([draft('b')])]
    if (typeof first === 'string' || typeof second === 'string') throw new Error('no room')
    const late = log.waitFor(second.end, 'sync')
    await drive(log.waitFor(first.end, 'sync'))
    expect(log.watermark('sync')).toBe(first.end)
    await drive(late)
  })

  it('proves the tail by an empty frame once appends pause', async () => {
    const { start, drive, pass } = world(7)
    const log = await drive(start().open())
    const { end } = await drive(appendSoon(log, [draft('a')]))
    await drive(log.waitFor(end, 'sync'))
    await pass(3000)
    expect(log.watermark('sync')).toBe(end + 40)
    const frames = log.stats.frames
    await pass(10_000)
    expect(log.stats.frames).toBe(frames)
  })
})

describe('the audit', () => {
  it('answers from the account of the disk, whatever the watermarks say', async () => {
    const { start, drive } = world(14)
    const process = start()
    const silent: Disk = {
      ...process.disk,
      async open(path, options) {
        const file = await process.disk.open(path, options)
        return { ...file, writtenEnd: 0, syncedEnd: 0 }
      },
    }
    const log = await drive(process.open({ disk: silent }))
    const { end } = await drive(appendSoon(log, [draft('a')]))
    await drive(log.waitFor(end, 'sync'))
    expect(log.watermark('sync')).toBe(end)
    expect([log.isSafe(end, 'sync'), log.isSafe(end, 'os')]).toEqual([false, false])
    expect(log.isSafe(end, 'memory')).toBe(true)
  })
})

describe('checkpoints', () => {
  it('get their name only when the log is durable up to their position', async () => {
    const { start, drive, disk } = world(12)
    const process = start()
    const log = await drive(process.open({ durability: 'os' }))
    const options = { log, disk: process.disk, clock: process.clock, directory: DIRECTORY }
    const folds = await drive(openFolds({ ...options, folds: [ledger()] }))
    await drive(appendSoon(log, [draft('a')]))
    const saving = folds.checkpoint()
    const at = log.watermark('memory')
    disk.onCall(() => {
      const isNamed = disk.paths().some((path) => path.endsWith('.ckpt'))
      if (isNamed) expect(log.isSafe(at, 'sync')).toBe(true)
    })
    expect(log.isSafe(at, 'sync')).toBe(false)
    expect(await drive(saving)).toBe(at)
    for (let n = 0; n < 4; n += 1) {
      await drive(appendSoon(log, [draft('b')]))
      await drive(folds.checkpoint())
    }
    expect(disk.paths().filter((path) => path.endsWith('.ckpt'))).toHaveLength(2)
    await drive(log.close())
    await expect(folds.checkpoint()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  it('beyond the log, or not as they were written, are removed and not used', async () => {
    const { start, drive, disk } = world(13)
    const process = start()
    const log = await drive(process.open())
    await drive(appendSoon(log, [draft('a')]))
    const options = { log, disk: process.disk, clock: process.clock, directory: DIRECTORY }
    const bytes = await checkpointBytes(position(4000), { ledger: [Buffer.from('m|99')] })
    disk.putFile(`${DIRECTORY}/0000000000000fa0.ckpt`, bytes)
    disk.putFile(`${DIRECTORY}/0000000000000070.ckpt`, bytes)
    disk.putFile(`${DIRECTORY}/0000000000000080.ckpt`, Buffer.from('half'))
    disk.putFile(`${DIRECTORY}/0000000000000090.ckpt.tmp`, Buffer.from('half'))
    const fold = ledger()
    const folds = await drive(openFolds({ ...options, folds: [fold] }))
    expect(folds).toMatchObject({ from: 'log', replayed: 1 })
    expect(fold.text()).toContain('"bodies":1,')
    expect(disk.paths().filter((path) => !path.endsWith('.seg'))).toEqual([])
  })
})

describe('failures', () => {
  it('a failed sync is final: no more appends, waiters reject, durable bytes stay readable', async () => {
    const { start, drive, disk } = world(8)
    const log = await drive(start().open())
    const safe = await drive(appendSoon(log, [draft('safe')]))
    await drive(log.waitFor(safe.end, 'sync'))
    let advances = 0
    log.onAdvance(() => (advances += 1))
    disk.failNextSync()
    const lost = log.append([draft('lost')])
    if (typeof lost === 'string') throw new Error(lost)
    await expect(drive(log.waitFor(lost.end, 'sync'))).rejects.toMatchObject({
      code: 'FLUSH_FAILED',
      state: 'unknown',
    })
    expect(advances).toBe(1)
    expect(log.isSafe(lost.end, 'sync')).toBe(false)
    expect(log.watermark('sync')).toBe(safe.end)
    expect(() => log.append([draft('more')])).toThrow(/FLUSH_FAILED/)
    await expect(log.waitFor(lost.end, 'sync')).rejects.toBe(log.failure)
    expect(await drive(readAll(log))).toEqual(['safe'])
    expect(log.peek(lost.records[0]?.position ?? position(0))).toBeUndefined()
    await drive(log.close())
    expect(await drive(readAll(await drive(start().open())))).toContain('safe')
  })

  it('a sync that fails while a segment is prepared ends the log', async () => {
    const { start, drive, disk, pass } = world(16)
    disk.onCall(() => {
      // From the second segment's file on.
      if (disk.paths().length === 2) disk.failNextSync()
    })
    const log = await drive(start().open())
    await pass(100)
    disk.onCall(undefined)
    expect(log.failure).toMatchObject({ code: 'FLUSH_FAILED' })
    expect(() => log.append([draft('a')])).toThrow(/FLUSH_FAILED/)
    await drive(log.close())
  })

  it('a close after a failure leaves no call on its way', async () => {
    let failures = 0
    for (let seed = 0; seed < 60; seed += 1) {
      const { start, drive, disk, pass } = world(seed)
      const log = await drive(start().open({ durability: 'os', segmentBytes: 65_536 }))
      await pass(20)
      disk.setSlow(2, 5)
      const { end } = await drive(appendSoon(log, [draft('a')]))
      disk.failNextSync()
      const marks = (): number[] => [log.watermark('os'), log.watermark('sync')]
      let atFailure: number[] | undefined
      log.onAdvance(() => {
        if (log.failure !== undefined) atFailure ??= marks()
      })
      const waiting = log.waitFor(end, 'sync').catch(() => undefined)
      for (let n = 0; n < 20 && log.failure === undefined; n += 1) {
        await drive(appendSoon(log, [draft('b')]))
        await pass(0.5)
      }
      await drive(Promise.all([waiting, log.close().catch(() => undefined)]))
      failures += log.failure === undefined ? 0 : 1
      expect(disk.inFlight).toBe(0)
      // What completed after the failure moves nothing.
      if (log.failure !== undefined) expect(marks()).toEqual(atFailure)
    }
    expect(failures).toBeGreaterThan(30)
  })

  it('a close while a segment is prepared leaves no call on its way', async () => {
    for (let seed = 0; seed < 10; seed += 1) {
      const { start, drive, disk } = world(seed)
      const log = await drive(start().open())
      disk.setSlow(2, 5)
      await drive(log.close())
      expect(disk.inFlight).toBe(0)
    }
  })

  it('a full disk shows as full, and work goes on once there is space', async () => {
    const { start, drive, disk, pass } = world(9)
    const log = await drive(start().open())
    disk.setCapacity(2 * 4096 + 1000)
    const kept: string[] = []
    let answer: unknown
    for (let n = 0; n < 200; n += 1) {
      answer = log.append([draft(`record ${n}`)])
      if (answer === 'full') break
      if (answer === 'wait') {
        await pass(50)
        n -= 1
      } else kept.push(`record ${n}`)
    }
    expect(answer).toBe('full')
    expect(disk.faults.fullErrors).toBeGreaterThan(0)
    expect(await drive(readAll(log))).toEqual(kept)
    expect(log.failure).toBeUndefined()
    let isTold = false
    log.onRoom(() => (isTold = true))
    disk.setCapacity(undefined)
    await pass(2000)
    expect(isTold).toBe(true)
    const { end } = await drive(appendSoon(log, [draft('after')]))
    await drive(log.waitFor(end, 'sync'))
    await drive(log.close())
    expect(await drive(readAll(await drive(start().open())))).toEqual([...kept, 'after'])
  })

  it('a disk too full for the first segment is DISK_FULL, and leaves the directory free', async () => {
    const { start, drive, disk } = world(10)
    disk.setCapacity(1000)
    await expect(drive(start().open())).rejects.toMatchObject({ code: 'DISK_FULL' })
    disk.setCapacity(undefined)
    await drive(start().open())
    expect(disk.paths()).toContain(`${DIRECTORY}/0000000000000000.seg`)
  })

  it('too many bytes in flight say wait, and room is told', async () => {
    const { start, drive } = world(11)
    const log = await drive(start().open({ segmentBytes: 65_536, inFlightBytesMax: 2048 }))
    let isTold = 0
    log.onRoom(() => (isTold += 1))
    const body = Buffer.alloc(1000)
    expect(log.append([draft(body)])).toBeTypeOf('object')
    expect(log.append([draft(body)])).toBe('wait')
    expect(log.hasRoom(900)).toBe(true)
    await drive(log.waitFor(log.watermark('memory'), 'sync'))
    expect(isTold).toBe(1)
    expect(log.append([draft(body)])).toBeTypeOf('object')
    expect(log.hasRoom(1500)).toBe(false)
    await drive(log.waitFor(log.watermark('memory'), 'sync'))
    expect(isTold).toBe(2)
  })

  it('a close in which a call fails gives the directory back all the same', async () => {
    const refused: number[] = []
    for (let skipped = 0; ; skipped += 1) {
      const { start, drive, disk } = world(31)
      const log = await drive(start().open())
      await drive(appendSoon(log, [draft('a')]))
      disk.failNextCall(skipped)
      const error = await drive(log.close()).catch((reason: unknown) => reason)
      if (disk.faults.callsFailed === 0) break
      if (error !== undefined) expect(LogError.is(error)).toBe(true)
      await drive(start().open()).catch(() => refused.push(skipped))
    }
    // Only when the call that gives it back is the one that fails.
    expect(refused.length).toBeLessThanOrEqual(1)
  })

  it('a read that fails in the disk is told as such, and the next one may succeed', async () => {
    const { start, drive, disk } = world(32)
    const log = await drive(start().open({ cacheBytes: 0 }))
    const { records, end } = await drive(appendSoon(log, [draft('a')]))
    await drive(log.waitFor(end, 'sync'))
    // A frame of its own: only the newest one stays in memory.
    await drive(log.waitFor((await drive(appendSoon(log, [draft('b')]))).end, 'sync'))
    const at = records[0]?.position ?? position(0)
    for (const read of [() => log.read(at), () => readAll(log)]) {
      disk.failNextCall()
      const error: unknown = await drive<unknown>(read()).catch((reason: unknown) => reason)
      expect(LogError.is(error) && error.code).toBe('IO')
      expect(disk.faults.callsFailed).toBeGreaterThan(0)
    }
    expect(await drive(readAll(log))).toEqual(['a', 'b'])
  })

  it('names errors of the table only', () => {
    expect(LogError.is(new DiskError('IO'))).toBe(false)
    expect(Object.keys(LogError.table).sort()).toEqual([
      'BACKUP_DAMAGED',
      'CLOSED',
      'CORRUPT',
      'DIRECTORY_UNUSABLE',
      'DISK_FULL',
      'FLUSH_FAILED',
      'FORMAT_UNSUPPORTED',
      'IO',
      'LOCKED',
      'LOG_BUSY',
      'NOT_EMPTY',
      'NO_BACKUP',
      'NO_LOG',
      'POSITION_UNKNOWN',
      'READ_ONLY',
      'RECORD_TOO_LARGE',
      'TOO_MANY_FILES',
    ])
  })
})
