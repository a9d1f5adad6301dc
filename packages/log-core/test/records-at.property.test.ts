/**
 * Records at many positions are those that stand there, in the order asked for: while the log grows
 * and leaves memory, is rewritten in groups, and after a power loss.
 */
import { below, type LogRecord, type Position, position } from '@sagalog/kernel'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Log, type LogError, NeedsTable } from '../src/index.js'
import { appendSoon, countingReads, draft, runs, textOf, world } from './world.js'

const LAST = position(Number.MAX_SAFE_INTEGER)
const SEGMENT = 128 * 1024
const settings = { segmentBytes: SEGMENT, cacheBytes: 2 * 1024 }

/** All of them, in as many portions as it takes. */
async function readThem(log: Log, positions: readonly Position[]): Promise<string[]> {
  const texts: string[] = []
  while (texts.length < positions.length)
    texts.push(...(await log.readMany(positions, texts.length)).map(textOf))
  return texts
}

describe('records at many positions', () => {
  it('are what was appended, in the order asked for', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const { disk, drive, pass, random, start } = world(seed)
        let log = await drive(start().open(settings))
        const known = new Map<Position, string>()
        const append = async (): Promise<void> => {
          const sizes = [20, 20, 20, 300, 5_000, 20_000]
          const drafts = Array.from({ length: 1 + below(random, 3) }, (_, n) => {
            const bytes = 1 + below(random, sizes[below(random, sizes.length)] ?? 20)
            return draft(`${known.size + n}`.padEnd(bytes, '.'))
          })
          const { end, records } = await drive(appendSoon(log, drafts))
          for (const record of records) known.set(record.position, textOf(record))
          await drive(log.waitFor(end, 'sync'))
        }
        const check = async (): Promise<void> => {
          const all = [...known.keys()]
          const from = below(random, all.length)
          const picked = all.slice(from, from + 1 + below(random, 60))
          const some = picked.filter(() => below(random, 3) > 0)
          if (below(random, 3) === 0) some.reverse()
          if (below(random, 3) === 0) some.sort((left, right) => (left % 97) - (right % 97))
          expect(await drive(readThem(log, some))).toEqual(some.map((at) => known.get(at)))
        }
        for (let step = 0; step < 60; step += 1) {
          await append()
          if (below(random, 2) === 0) await check()
          if (below(random, 20) === 0) {
            disk.crash()
            log = await drive(start().open(settings))
          }
          if (below(random, 20) > 0) continue
          await pass(100)
          const needs = new NeedsTable()
          // What does not stay is asked for no more.
          for (const at of known.keys()) if (at % 56 === 0) known.delete(at)
          needs.set('test', { needsBody: (record) => known.has(record.position) })
          const groupBy = (record: LogRecord): number => textOf(record).length % 3
          const policy = { rewriteBelow: 1 }
          await drive(log.retain({ needs, freeBelow: LAST, policy, groupBy }))
          await check()
        }
        await drive(log.close())
      }),
      runs(4, 60),
    )
  })

  it('that stand together are one read, and alone share what was read for their neighbours', async () => {
    const { drive, start } = world(7)
    const process = start()
    const counting = countingReads(process.disk)
    const log = await drive(process.open({ ...settings, disk: counting.disk }))
    const places: Position[] = []
    for (let n = 0; n < 400; n += 1) {
      const { end, records } = await drive(appendSoon(log, [draft(`${n}`.padEnd(200, '.'))]))
      places.push(...records.map((record) => record.position))
      await drive(log.waitFor(end, 'sync'))
    }
    const readsOf = async (positions: readonly Position[]): Promise<number> => {
      const before = counting.reads
      expect(await drive(readThem(log, positions))).toHaveLength(positions.length)
      return counting.reads - before
    }
    const together = places.slice(10, 210)
    expect(await readsOf(together)).toBe(1)
    expect(await readsOf(together.toReversed())).toBe(1)
    // Every fortieth is far from the next one; what stands beside it is in the same block.
    const alone = (first: number) => places.slice(0, 380).filter((_, n) => n % 40 === first)
    expect(await readsOf(alone(0))).toBeLessThanOrEqual(10)
    expect(await readsOf(alone(3))).toBeLessThanOrEqual(3)
    await drive(log.close())
  })

  it('that are damaged or not there say so', async () => {
    const { disk, drive, start } = world(8)
    const log = await drive(start().open(settings))
    const places: Position[] = []
    for (let n = 0; n < 100; n += 1) {
      const { end, records } = await drive(appendSoon(log, [draft(`${n}`.padEnd(200, '.'))]))
      places.push(...records.map((record) => record.position))
      await drive(log.waitFor(end, 'sync'))
    }
    const damaged = places[7] ?? position(0)
    disk.flipBit(log.report.states[0]?.file ?? '', (damaged + 40) * 8)
    const alone = drive(log.read(damaged))
    await expect(alone).rejects.toMatchObject({ code: 'CORRUPT' })
    const { detail } = (await alone.catch((error: unknown) => error)) as LogError
    for (const positions of [places.slice(0, 20), [damaged], places.filter((_, n) => n % 7 === 0)])
      await expect(drive(readThem(log, positions))).rejects.toMatchObject({
        code: 'CORRUPT',
        detail,
      })
    expect(await drive(readThem(log, places.slice(8)))).toHaveLength(92)
    for (const wrong of [LAST, position((places[2] ?? 0) + 4)])
      await expect(drive(log.readMany([wrong]))).rejects.toMatchObject({ code: 'POSITION_UNKNOWN' })
    await drive(log.close())
    await expect(drive(log.readMany(places))).rejects.toMatchObject({ code: 'CLOSED' })
  })
})
