/** Writes that wait for room and for their level, what bounds them, and who is told. */
import { type AppendOutcome, LogError, type WriteOptions } from '../src/index.js'
import { describe, expect, it } from 'vitest'
import { draft, readAll, world } from './world.js'

const endOf = (outcome: AppendOutcome): number =>
  typeof outcome === 'object' ? outcome.end : Number.NaN

describe('levels of single writes', () => {
  it('an os log syncs for the writes that ask for it, and all who wait share a sync', async () => {
    const { start, drive } = world(1)
    const log = await drive(start().open({ durability: 'os' }))
    const write = (options?: WriteOptions) => log.write([draft('x')], options)
    const quick = await drive(write())
    expect(log.isSafe(log.watermark('os'), 'os')).toBe(true)
    expect(log.watermark('sync')).toBeLessThan(endOf(quick))
    const before = log.stats.syncs
    const safe = await drive(
      Promise.all(Array.from({ length: 100 }, () => write({ durability: 'sync' }))),
      100,
    )
    expect(log.watermark('sync')).toBe(endOf(safe.at(-1) ?? 'wait'))
    expect(log.stats.syncs - before).toBeLessThanOrEqual(2)
  })

  it('a sync that is asked for does not wait for a stream of other writes to end', async () => {
    const { start, drive, pass } = world(2)
    const log = await drive(start().open({ durability: 'os', segmentBytes: 1 << 20 }))
    const done = new AbortController()
    const stream = async (): Promise<void> => {
      while (!done.signal.aborted) await log.write([draft('y'.repeat(200))])
    }
    const streams = [stream(), stream(), stream()]
    await pass(5)
    // Shorter than the pause after which all is synced anyway.
    await drive(log.write([draft('x')], { durability: 'sync' }), 50)
    done.abort()
    await drive(Promise.all(streams))
  })

  it('a sync log lets single writes settle for less', async () => {
    const { start, drive } = world(3)
    const log = await drive(start().open())
    const before = log.watermark('sync')
    const placed = await drive(log.write([draft('x')], { durability: 'memory' }), 0)
    expect(log.watermark('memory')).toBe(endOf(placed))
    expect(log.watermark('sync')).toBe(before)
    const taken = await drive(log.write([draft('x')], { durability: 'os' }))
    expect(log.isSafe(log.watermark('os'), 'os')).toBe(true)
    expect(log.watermark('os')).toBeGreaterThanOrEqual(endOf(taken))
  })
})

describe('room', () => {
  it('writes wait for it in their order, and resolve when they are safe', async () => {
    const { start, drive } = world(4)
    const log = await drive(start().open({ segmentBytes: 4096, inFlightBytesMax: 2048 }))
    const texts = Array.from({ length: 20 }, (_, n) => `${n}:`.padEnd(50 + n, '.'))
    const order: number[] = []
    const outcomes = await drive(
      Promise.all(
        texts.map(async (text, n) => {
          const outcome = await log.write([draft(text)])
          order.push(n)
          expect(log.watermark('sync')).toBeGreaterThanOrEqual(endOf(outcome))
          return outcome
        }),
      ),
    )
    expect(outcomes.every((outcome) => typeof outcome === 'object')).toBe(true)
    expect(order).toEqual(texts.map((_, n) => n))
    expect(await drive(readAll(log))).toEqual(texts)
  })

  it('a stalled disk never holds more than twice the bound, and no caller is left behind', async () => {
    const { start, drive, disk } = world(5)
    const inFlightBytesMax = 64 << 10
    const log = await drive(start().open({ segmentBytes: 1 << 20, inFlightBytesMax }))
    disk.setSlow(1, 10_000)
    const body = Buffer.alloc(1000)
    const outcomes = Array.from({ length: 1000 }, () => log.write([draft(body)]))
    const settled: AppendOutcome[] = []
    for (const outcome of outcomes) void outcome.then((value) => settled.push(value))
    await new Promise(setImmediate)
    // No time has passed on the disk: those over the bound know already.
    const refused = settled.length
    expect(settled.every((outcome) => outcome === 'wait')).toBe(true)
    expect((1000 - refused) * 1000).toBeLessThanOrEqual(2 * inFlightBytesMax)
    expect(refused).toBeGreaterThan(800)
    await drive(Promise.all(outcomes), 200_000)
    expect(settled.length).toBe(1000)
    expect(log.stats.records).toBe(1000 - refused)
    expect(await drive(readAll(log))).toHaveLength(1000 - refused)
  })

  it('a full disk is a value for all who wait, and writes go on once there is space', async () => {
    const { start, drive, disk, pass } = world(6)
    const log = await drive(start().open())
    await pass(50)
    disk.setCapacity(2 * 4096)
    const outcomes = await drive(
      Promise.all(Array.from({ length: 100 }, (_, n) => log.write([draft(`${n}`.padEnd(200))]))),
    )
    const written = outcomes.filter((outcome) => typeof outcome === 'object')
    expect(outcomes.slice(written.length).every((outcome) => outcome === 'full')).toBe(true)
    expect(written.length).toBeGreaterThan(20)
    expect(await drive(readAll(log))).toHaveLength(written.length)
    disk.setCapacity(undefined)
    await pass(2000)
    expect(await drive(log.write([draft('after')]))).toBeTypeOf('object')
  })

  it('a failed log rejects those who wait for room, and so does a close', async () => {
    for (const way of ['fail', 'close']) {
      const { start, drive, disk } = world(7)
      const log = await drive(start().open({ inFlightBytesMax: 512 }))
      if (way === 'fail') disk.failNextSync()
      const outcomes = Array.from({ length: 4 }, () =>
        log.write([draft(Buffer.alloc(200))]).then(
          (outcome) => (typeof outcome === 'object' ? 'written' : outcome),
          (error: unknown) => (LogError.is(error) ? error.code : 'another error'),
        ),
      )
      if (way === 'close') await drive(log.close())
      const codes = await drive(Promise.all(outcomes))
      // Two had room.
      expect(codes).toEqual(
        way === 'fail'
          ? codes.map(() => 'FLUSH_FAILED')
          : ['written', 'written', 'CLOSED', 'CLOSED'],
      )
    }
  })

  it('what no segment can hold is rejected, never thrown', async () => {
    const { start, drive } = world(8)
    const log = await drive(start().open())
    await expect(drive(log.write([draft(Buffer.alloc(4096))]))).rejects.toMatchObject({
      code: 'RECORD_TOO_LARGE',
      state: 'unchanged',
    })
  })
})

describe('listeners', () => {
  it('that were removed are not called any more, also by one that removes another', async () => {
    const { start, drive } = world(9)
    const log = await drive(start().open())
    const calls: string[] = []
    const removers: (() => void)[] = []
    removers.push(
      log.onAdvance(() => {
        calls.push('first')
        removers[1]?.()
      }),
    )
    removers.push(log.onAdvance(() => calls.push('second')))
    log.onAdvance(() => calls.push('third'))
    await drive(log.write([draft('a')]))
    expect(calls).toEqual(['first', 'third'])
    removers[0]?.()
    await drive(log.write([draft('b')]))
    expect(calls).toEqual(['first', 'third', 'third'])
  })
})
