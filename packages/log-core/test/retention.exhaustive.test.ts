/**
 * A log that seals, retires, recycles and rewrites its segments, ended before every call of the
 * disk and with every call failing in turn: what is needed is there, and the folds are what they
 * were.
 */
import { type Draft, type Position, RECORD_KINDS, type RecordKind } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import { type Folds, type Log, LogError, NeedsTable, openFolds } from '../src/index.js'
import { ledger } from './ledger.js'
import { appendSoon, DIRECTORY, isFullRun, type Process, textOf, world } from './world.js'

const SEGMENT = 512

/** A world, what was appended in it, and what of that was acknowledged. */
function stage(seed: number) {
  const made = world(seed)
  const { start, drive, disk, time } = made
  let past: { kind: RecordKind; position: Position; text: string }[] = []
  let acknowledged = 0
  const counts = { retired: 0, rewritten: 0, recycled: 0, sealed: 0 }

  async function begin(process: Process): Promise<{ log: Log; folds: Folds; fold: Ledger }> {
    const log = await process.open({ segmentBytes: SEGMENT, cacheBytes: 256 })
    past = past.filter(({ position }) => position < log.report.end)
    const fold = ledger()
    const { disk: own, clock } = process
    const folds = await openFolds({ log, disk: own, clock, directory: DIRECTORY, folds: [fold] })
    log.onAppend((records) => {
      for (const record of records) {
        past.push({ kind: record.kind, position: record.position, text: textOf(record) })
      }
    })
    return { log, folds, fold }
  }
  async function send(log: Log, drafts: readonly Draft[]): Promise<void> {
    const { end } = await appendSoon(log, drafts)
    await log.waitFor(end, 'sync')
    acknowledged = end
  }
  async function retain(log: Log, folds: Folds): Promise<void> {
    const needs = new NeedsTable()
    needs.set('folds', {
      needsBody: (record) => folds.needsBody(record),
      bodiesFrom: () => folds.needs(),
    })
    const freeBelow = await folds.freeBelow()
    const { retired, rewritten } = await log.retain({
      needs,
      freeBelow,
      policy: { rewriteBelow: 0.8 },
      bytesPerSecond: 1 << 30,
    })
    counts.retired += retired.length
    counts.rewritten += rewritten.length
  }
  /** One half stays open for a round, so that what stands behind it is rewritten, not retired. */
  async function live(process: Process, rounds: number): Promise<void> {
    const { log, folds, fold } = await begin(process)
    for (let round = 0; round < rounds; round += 1) {
      const [open] = fold.halfIds()
      for (let n = 0; n < 7; n += 1) {
        const id = `half ${process.clock.wallMs()} ${n}`.padEnd(40 + n * 7, '.')
        await send(log, [fold.open(id), fold.place(`group ${n}`, round)])
        if (n !== 2) await send(log, [fold.decide(id)])
      }
      if (open !== undefined) await send(log, [fold.decide(open)])
      await folds.restate()
      await retain(log, folds)
      if (round === 1) await folds.checkpoint()
    }
    counts.recycled += disk.paths().filter((path) => path.endsWith('.free')).length
    counts.sealed += log.report.states.filter(({ state }) => state === 'sealed').length
    await log.close()
  }
  /** Runs until it ends or `isStopped`; errors of the log are part of the play. */
  async function play(work: Promise<void>, isStopped: () => boolean): Promise<void> {
    let isDone = false
    const ending = work.then(
      () => (isDone = true),
      (error: unknown) => {
        isDone = true
        if (!LogError.is(error)) throw error
      },
    )
    await time.run({ untilMs: time.nowMs() + 60_000, isDone: () => isDone || isStopped() })
    if (isDone) await ending
  }
  function lived(): string {
    const all = ledger()
    for (const { kind, position, text } of past) {
      if (RECORD_KINDS[kind].class === 'mark') continue
      const source = Buffer.from(text, 'latin1')
      all.evolve({ kind, position, version: 1, source, start: 0, end: source.length })
    }
    return all.text()
  }
  /** Opens what is left, with its checkpoints and without any; everything needed is there. */
  async function check(where: string): Promise<void> {
    for (const isBare of [false, true]) {
      if (isBare) for (const path of disk.paths()) if (path.includes('.ckpt')) disk.removeFile(path)
      const process = start()
      const { log, fold } = await drive(begin(process))
      expect(log.report.end, where).toBeGreaterThanOrEqual(acknowledged)
      expect(fold.text(), where).toBe(lived())
      for (const { kind, position, text } of past) {
        if (kind !== 'half' || !fold.halfIds().includes(text)) continue
        expect(textOf(await drive(log.read(position))), where).toBe(text)
      }
      expect(disk.paths().filter((path) => path.endsWith('.tmp'))).toEqual([])
      const { damaged } = await drive(log.scrub({ bytesPerSecond: 1 << 30 }).done)
      expect(damaged, where).toEqual([])
      await drive(log.close())
    }
  }
  return { ...made, counts, play, live, check }
}

type Ledger = ReturnType<typeof ledger>

async function countCalls(): Promise<number> {
  const { play, live, start, disk, counts } = stage(1)
  await play(live(start(), 3), () => false)
  // What is ended at each call is a life with all of it.
  expect(counts.retired).toBeGreaterThan(2)
  expect(counts.rewritten).toBeGreaterThan(0)
  expect(counts.recycled).toBeGreaterThan(0)
  return disk.calls
}

/** At which calls a life is ended: at every one in the full run, else at no divisor of a cycle. */
const stride = isFullRun ? 1 : 37

describe('a log that seals, retires, recycles and rewrites', () => {
  it.each(['power', 'kill'] as const)(
    'ended before every call by %s, going on, then a power loss',
    async (how) => {
      const calls = await countCalls()
      const offset = how === 'power' ? 1 : 2
      for (let last = offset; last <= calls; last += stride) {
        const made = stage(1)
        const { disk, play, live, check, start } = made
        let isStopped = false
        disk.onCall((call) => {
          if (call !== last) return
          isStopped = true
          if (how === 'power') disk.crash()
          else disk.killAll()
        })
        await play(live(start(), 3), () => isStopped)
        disk.onCall(undefined)
        await check(`${how} before call ${last}`)
        await play(live(start(), 1), () => false)
        disk.crash()
        await check(`${how} before call ${last}, going on, then power`)
      }
    },
    600_000,
  )

  it('every call failing in turn, going on, then a power loss', async () => {
    for (let skipped = 2; ; skipped += stride) {
      const { disk, play, live, check, start } = stage(2)
      disk.failNextCall(skipped)
      await play(live(start(), 3), () => false)
      if (disk.faults.callsFailed === 0) {
        expect(skipped).toBeGreaterThan(100)
        break
      }
      disk.killAll()
      await check(`call ${skipped} failed`)
      await play(live(start(), 1), () => false)
      disk.crash()
      await check(`call ${skipped} failed, going on, then power`)
    }
  }, 600_000)

  it('every sync failing in turn, then a power loss', async () => {
    for (let skipped = 0; ; skipped += 1) {
      const { disk, play, live, check, start } = stage(3)
      disk.failNextSync(skipped)
      await play(live(start(), 3), () => false)
      if (disk.faults.syncsFailed === 0) {
        expect(skipped).toBeGreaterThan(30)
        break
      }
      disk.crash()
      await check(`sync ${skipped} failed, then power`)
      if (!isFullRun) skipped += 6
    }
  }, 600_000)
})
