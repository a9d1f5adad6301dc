/**
 * Backups while segments retire, are used again and are rewritten: from inside nothing goes while
 * the backup reads, from outside a copy is whole or there is none, and never is damage told.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { backupLog, type BackupManifest, type Log, LogError, NeedsTable } from '../src/index.js'
import { openLog, restoreLog, verifyLog } from '../src/index.js'
import { appendSoon, DIRECTORY, draft, readAll, runs, world, type World } from './world.js'

const RECENT = 60

/** Every seventh of the newest ones is needed. */
function isKept(text: string, appended: readonly string[]): boolean {
  const n = Number.parseInt(text, 10)
  return n % 7 === 0 && n >= appended.length - RECENT
}

/** Appends and lets go, until it is told to stop. */
function life(made: World, log: Log, appended: string[]) {
  const told = { isDone: false }
  const needs = new NeedsTable()
  needs.set('some of the newest', {
    needsBody: ({ source, start, end }) => isKept(source.toString('latin1', start, end), appended),
  })
  const seen = { retired: 0, rewritten: 0 }
  const running = (async () => {
    for (let n = 0; !told.isDone; n += 1) {
      const text = `${n}${'.'.repeat((n * 31) % 150)}`
      const { end } = await appendSoon(log, [draft(text)])
      await log.waitFor(end, 'sync')
      appended.push(text)
      if (n % 9 !== 8) continue
      const freeBelow = log.watermark('sync')
      const report = await log.retain({ needs, freeBelow, bytesPerSecond: 1 << 30 })
      seen.retired += report.retired.length
      seen.rewritten += report.rewritten.length
    }
  })()
  const stop = async (): Promise<typeof seen> => {
    told.isDone = true
    await made.drive(running)
    return seen
  }
  return { stop, seen }
}

it('holds what must be in it, in order, from inside and from outside', async () => {
  const reached = { retired: 0, rewritten: 0, inside: 0, outside: 0, meanwhile: 0 }
  const plan = fc.record({
    seed: fc.integer({ min: 1, max: 0xffff }),
    beforeMs: fc.integer({ min: 20, max: 400 }),
    isInside: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ seed, beforeMs, isInside }) => {
      const made = world(seed)
      const owner = made.start()
      const log = await made.drive(owner.open({ segmentBytes: 1024 }))
      const appended: string[] = []
      const { stop, seen } = life(made, log, appended)
      await made.pass(beforeMs)
      const due = [...appended]
      const before = seen.retired + seen.rewritten
      const { disk, clock } = isInside ? owner : made.start()
      const options = { disk, clock, directory: DIRECTORY, to: '/backup' }
      const taken = await made
        .drive(backupLog({ ...options, ...(isInside ? { log } : {}) }))
        .catch((error: unknown) => error)
      const verdict = await made.drive(verifyLog({ disk, directory: DIRECTORY }))
      expect(verdict.damages).toEqual([])
      const { retired, rewritten } = await stop()
      if (retired + rewritten > before) reached.meanwhile += 1
      reached.retired += retired
      reached.rewritten += rewritten
      reached[isInside ? 'inside' : 'outside'] += 1
      await made.drive(log.close())
      if (LogError.is(taken)) {
        expect([isInside, taken.code]).toEqual([false, 'LOG_BUSY'])
        return
      }
      const manifest = taken as BackupManifest
      const process = made.start()
      await made.drive(restoreLog({ disk: process.disk, from: '/backup', to: '/restored' }))
      const restored = await made.drive(
        openLog({ disk: process.disk, clock: process.clock, directory: '/restored' }),
      )
      const texts = await made.drive(readAll(restored))
      expect(texts).toHaveLength(manifest.records)
      // In order, nothing twice, nothing that was never written.
      const places = texts.map((text) => appended.indexOf(text))
      expect(places).toEqual([...new Set(places)].toSorted((one, other) => one - other))
      expect(places.every((place) => place >= 0)).toBe(true)
      // A sparse past, and all of what came last.
      expect(texts).toEqual(expect.arrayContaining(due.filter((text) => isKept(text, appended))))
      await made.drive(restored.close())
    }),
    runs(15, 200),
  )
  for (const [name, count] of Object.entries(reached)) expect(count, name).toBeGreaterThan(0)
}, 120_000)
