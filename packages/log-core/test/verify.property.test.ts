/**
 * Looking at a log from outside: every flipped bit below the end is found, a log that is whole is
 * never called damaged (also beside its owner, after kills and power losses), and what verify says
 * about the end is what the next opening finds.
 */
import { position } from '@sagalog/kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dumpLog, inspectLog, LogError, type Verdict, verifyLog } from '../src/index.js'
import { appendSoon, DIRECTORY, draft, readAll, runs, world, type World } from './world.js'

const look = (made: World) => ({ disk: made.start().disk, directory: DIRECTORY })

async function filled(seed: number, frames: number, isClosed = true): Promise<World> {
  const made = world(seed)
  const process = made.start()
  const log = await made.drive(process.open({ segmentBytes: 1024 }))
  for (let n = 0; n < frames; n += 1) {
    const drafts = Array.from({ length: 1 + (n % 3) }, () =>
      draft(`${n}${'.'.repeat((n * 37) % 90)}`),
    )
    const { end } = await made.drive(appendSoon(log, drafts))
    await made.drive(log.waitFor(end, 'sync'))
  }
  if (isClosed) await made.drive(log.close())
  else made.disk.killProcess(process.clock)
  return made
}

async function dumped(made: World): Promise<{ texts: string[]; damages: number }> {
  const texts: string[] = []
  let damages = 0
  await made.drive(
    dumpLog(look(made), {
      record: ({ body }) => texts.push(body.toString('latin1')),
      damage: () => (damages += 1),
      pause: () => Promise.resolve(true),
    }),
  )
  return { texts, damages }
}

it('every bit below the proven end is under some checksum: a flip anywhere is found', async () => {
  const made = await filled(7, 14)
  const { end, watermark, frames } = await made.drive(verifyLog(look(made)))
  expect(frames).toBeGreaterThan(14)
  // The last frame, which the close wrote, proves all the others and nothing proves it.
  expect(watermark).toBe(end - 40)
  const listed = await made.drive(inspectLog(look(made)))
  // A prepared segment holds nothing: with a damaged header it counts as one never finished.
  const rows = listed.filter(({ state }) => state !== 'prepared')
  expect(rows.length).toBeGreaterThan(2)
  await fc.assert(
    fc.asyncProperty(fc.nat(rows.length - 1), fc.nat(), async (index, anyBit) => {
      const { file, base, end: segmentEnd } = rows[index] ?? expect.fail()
      const bit = anyBit % ((Math.min(segmentEnd, watermark) - base) * 8)
      made.disk.flipBit(file, bit)
      const verdict = await made.drive(verifyLog(look(made)))
      made.disk.flipBit(file, bit)
      const [damage] = verdict.damages
      expect(verdict.isWhole, `bit ${bit} of ${file}`).toBe(false)
      expect(damage?.file).toBe(file)
      if (bit >= 512)
        expect(Math.abs((damage?.position ?? 0) - base - (bit >> 3))).toBeLessThan(400)
    }),
    runs(150, 10_000),
  )
})

it('goes on behind damage: all places are told, and the other records are dumped', async () => {
  const made = await filled(8, 30)
  const before = await dumped(made)
  const rows = await made.drive(inspectLog(look(made)))
  const [first, , third] = rows
  made.disk.flipBit(first?.file ?? '', 8 * 200)
  made.disk.flipBit(third?.file ?? '', 8 * 64)
  const verdict = await made.drive(verifyLog(look(made)))
  expect(verdict.damages.map(({ file }) => file)).toEqual([first?.file, third?.file])
  const after = await dumped(made)
  expect(after.damages).toBe(2)
  const lost = before.texts.length - after.texts.length
  expect(lost).toBeGreaterThan(0)
  expect(lost).toBeLessThanOrEqual(6)
  expect(verdict.records).toBe(after.texts.length)
})

it('tells files that are gone, short, foreign or of another place', async () => {
  const reasonAfter = async (spoil: (made: World, paths: readonly string[]) => void) => {
    const made = await filled(9, 24)
    spoil(
      made,
      made.disk.paths().filter((path) => path.endsWith('.seg')),
    )
    const { damages } = await made.drive(verifyLog(look(made)))
    return damages.map(({ reason }) => reason).join('; ')
  }
  const cut = (made: World, path = ''): void =>
    made.disk.putFile(path, made.disk.contents(path)?.subarray(0, 500) ?? Buffer.alloc(0))
  expect(await reasonAfter((made, [, second = '']) => made.disk.removeFile(second))).toContain(
    'it is missing',
  )
  expect(await reasonAfter((made, [, second]) => cut(made, second))).toMatch(
    /the file is too short/,
  )
  expect(
    await reasonAfter((made, [, second = '']) =>
      made.disk.putFile(second, Buffer.from('#!/bin/sh')),
    ),
  ).toContain('the segment header is')
  expect(
    await reasonAfter((made, [one = '', second = '']) =>
      made.disk.putFile(second, made.disk.contents(one) ?? Buffer.alloc(0)),
    ),
  ).toContain('the header is that of position 0')
})

it('no directory, no segments, a newer format: a typed error', async () => {
  const made = await filled(10, 3)
  const disk = made.start().disk
  const refusal = (directory: string) => made.drive(verifyLog({ disk, directory })).catch((e) => e)
  expect(await refusal('/nowhere')).toMatchObject({ code: 'NO_LOG' })
  await made.drive(disk.makeDirectory('/empty'))
  expect(await refusal('/empty')).toMatchObject({ code: 'NO_LOG' })
})

describe('beside the owner and after crashes', () => {
  const plan = fc.record({
    seed: fc.integer({ min: 1, max: 0xffff }),
    ops: fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fc.nat(120).map((size) => ({ do: 'append' as const, size })) },
        { weight: 4, arbitrary: fc.nat(3).map((ms) => ({ do: 'pass' as const, ms })) },
        { weight: 3, arbitrary: fc.constant({ do: 'verify' as const }) },
        {
          weight: 1,
          arbitrary: fc.constantFrom({ do: 'kill' as const }, { do: 'power' as const }),
        },
      ),
      { minLength: 10, maxLength: 60 },
    ),
  })
  const reached = { beside: 0, afterKill: 0, afterPower: 0, torn: 0, moved: 0 }

  it('never calls damaged what its owner can open, and agrees on the end', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async ({ seed, ops }) => {
        const made = world(seed)
        const { start, drive, pass, disk } = made
        let process = start()
        let log = await drive(process.open({ segmentBytes: 1024 }))
        for (const op of ops) {
          if (op.do === 'append') log.append([draft('x'.repeat(op.size))])
          else if (op.do === 'pass') await pass(op.ms)
          else if (op.do === 'verify') {
            const durable = log.watermark('sync')
            const [verdict] = await drive(
              Promise.all([verifyLog(look(made)), grow(made, log)] as const),
            )
            expect(verdict.damages).toEqual([])
            expect(verdict.end).toBeGreaterThanOrEqual(durable)
            if (log.watermark('sync') > durable) reached.moved += 1
            reached.beside += 1
          } else {
            if (op.do === 'kill') disk.killProcess(process.clock)
            else disk.crash()
            if (op.do === 'kill') reached.afterKill += 1
            else reached.afterPower += 1
            const verdict = await drive(verifyLog(look(made)))
            expect(verdict.damages).toEqual([])
            process = start()
            log = await drive(process.open({ segmentBytes: 1024 }))
            expect(verdict.end).toBe(log.report.end)
            if (log.report.ambiguousBytes > 0) reached.torn += 1
          }
        }
      }),
      runs(80, 2000),
    )
    for (const [name, count] of Object.entries(reached)) {
      expect(count, name).toBeGreaterThan(0)
    }
  })

  /** Appends while somebody looks. */
  async function grow(made: World, log: Awaited<ReturnType<typeof open>>): Promise<void> {
    for (let n = 0; n < 12; n += 1) {
      await new Promise<void>((resolve) => {
        made.time.plan(0.4, resolve)
      })
      log.append([draft('y'.repeat(n * 20))])
    }
  }
  const open = (made: World) => made.start().open()
})

it('whole implies that it opens, and a damaged tail that it does not', async () => {
  const seen = { opened: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 200 }), fc.nat(), async (seed, anyBit) => {
      const made = await filled(seed, 1 + (seed % 20), seed % 2 === 0)
      const paths = made.disk.paths().filter((path) => path.endsWith('.seg'))
      // The newest was being prepared when its owner was killed: not yet all of it is durable.
      const path = paths[anyBit % Math.max(1, paths.length - 1)] ?? ''
      made.disk.flipBit(path, (anyBit * 7919) % (8 * (made.disk.contents(path)?.length ?? 1)))
      const verdict = await made.drive(verifyLog(look(made))).catch(corrupt)
      const opened = await made
        .drive(made.start().open({ segmentBytes: 1024 }))
        .catch((error: unknown) => error)
      if (LogError.is(opened)) {
        expect(opened.code).toBe('CORRUPT')
        expect(verdict.isWhole).toBe(false)
        seen.refused += 1
        return
      }
      seen.opened += 1
      const log = opened as Awaited<ReturnType<ReturnType<World['start']>['open']>>
      if (verdict.isWhole) expect(log.report.end).toBe(verdict.end)
    }),
    runs(120, 3000),
  )
  expect(seen.opened).toBeGreaterThan(0)
  expect(seen.refused).toBeGreaterThan(0)
})

/** No segment can be told from what is there: as damaged as can be. */
function corrupt(error: unknown): Pick<Verdict, 'isWhole' | 'end'> {
  expect(error).toMatchObject({ code: 'CORRUPT' })
  return { isWhole: false, end: position(0) }
}

it('dump gives the records of the log and only those that were asked for', async () => {
  const made = await filled(11, 25)
  const { disk } = made.start()
  const log = await made.drive(made.start().open({ segmentBytes: 1024 }))
  const texts = await made.drive(readAll(log))
  const positions: number[] = []
  const scan = async (): Promise<void> => {
    for await (const records of log.scan(log.start)) {
      positions.push(...records.map((record) => record.position))
    }
  }
  await made.drive(scan())
  await made.drive(log.close())
  expect((await dumped(made)).texts).toEqual(texts)
  const [from, to] = [log.start + 700, log.start + 2100] as [never, never]
  const within: number[] = []
  await made.drive(
    dumpLog(
      { disk, directory: DIRECTORY, from, to },
      {
        record: (record) => within.push(record.position),
        damage: ({ reason }) => expect.fail(reason),
        pause: () => Promise.resolve(true),
      },
    ),
  )
  expect(within).toEqual(positions.filter((at) => at >= from && at < to))
  expect(within.length).toBeGreaterThan(5)
})
