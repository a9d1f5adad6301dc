/**
 * Backups of logs in use, and logs made of them: equal up to the backup's position, whole or
 * nothing after a crash at any call, and damage in a backup is refused.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type BackupManifest, backupLog, LogError, restoreLog, verifyBackup } from '../src/index.js'
import type { Log } from '../src/index.js'
import {
  appendSoon,
  DIRECTORY,
  draft,
  isFullRun,
  type Process,
  readAll,
  runs,
  world,
} from './world.js'
import type { World } from './world.js'

const TO = '/backup'
const RESTORED = '/restored'
const SEGMENT = { segmentBytes: 1024 }

const take = ({ disk, clock }: Process, log?: Log): Promise<BackupManifest> =>
  backupLog({ disk, clock, directory: DIRECTORY, to: TO, ...(log === undefined ? {} : { log }) })
const restore = ({ disk }: Process): Promise<BackupManifest> =>
  restoreLog({ disk, from: TO, to: RESTORED })

/** Appends numbered records until it is told to stop; `acknowledged` grows. */
function writer(made: World, log: Log, acknowledged: string[]) {
  const told = { isDone: false }
  const running = (async () => {
    for (let n = acknowledged.length; !told.isDone; n += 1) {
      const text = `${n}${'.'.repeat((n * 31) % 150)}`
      const { end } = await appendSoon(log, [draft(text)])
      await log.waitFor(end, 'sync')
      acknowledged.push(text)
    }
  })()
  // Its process may be killed under it.
  running.catch(() => undefined)
  return async (): Promise<void> => {
    told.isDone = true
    await made.drive(running)
  }
}

async function filled(made: World, process: Process, records: number): Promise<string[]> {
  const log = await made.drive(process.open(SEGMENT))
  const texts: string[] = []
  for (let n = 0; n < records; n += 1) {
    texts.push(`${n}${'.'.repeat((n * 31) % 150)}`)
    const { end } = await made.drive(appendSoon(log, [draft(texts.at(-1) ?? '')]))
    await made.drive(log.waitFor(end, 'sync'))
  }
  await made.drive(log.close())
  return texts
}

async function contents(made: World, directory: string): Promise<string[]> {
  const { disk, clock } = made.start()
  const { openLog } = await import('../src/index.js')
  const log = await made.drive(openLog({ disk, clock, directory, ...SEGMENT }))
  const texts = await made.drive(readAll(log))
  await made.drive(log.close())
  return texts
}

it('a log in use: all that was acknowledged before, and equal up to its end', async () => {
  const reached = { rolled: 0, inside: 0, outside: 0 }
  const plan = fc.record({
    seed: fc.integer({ min: 1, max: 0xffff }),
    before: fc.integer({ min: 1, max: 120 }),
    isInside: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(plan, async ({ seed, before, isInside }) => {
      const made = world(seed)
      const process = made.start()
      const log = await made.drive(process.open(SEGMENT))
      const acknowledged: string[] = []
      const stop = writer(made, log, acknowledged)
      await made.pass(before)
      const [due, began] = [acknowledged.length, log.watermark('memory')]
      const manifest = await made.drive(
        take(isInside ? process : made.start(), isInside ? log : undefined),
      )
      const rolled = log.watermark('memory') - began
      await stop()
      await made.drive(log.close())
      const restored = await made.drive(restore(made.start()))
      expect(restored).toEqual(manifest)
      const texts = await contents(made, RESTORED)
      expect(texts.length).toBeGreaterThanOrEqual(due)
      expect(texts).toEqual(acknowledged.slice(0, texts.length))
      expect(manifest.records).toBe(texts.length)
      if (isInside) expect(manifest.end).toBe(began)
      if (rolled > SEGMENT.segmentBytes) reached.rolled += 1
      reached[isInside ? 'inside' : 'outside'] += 1
    }),
    runs(20, 300),
  )
  for (const [name, count] of Object.entries(reached)) expect(count, name).toBeGreaterThan(0)
}, 120_000)

it('the restored log has the positions, generations and bytes of the original', async () => {
  const made = world(3)
  const texts = await filled(made, made.start(), 40)
  const { end } = await made.drive(take(made.start()))
  await made.drive(restore(made.start()))
  const paths = made.disk.paths().filter((path) => path.startsWith(`${RESTORED}/`))
  expect(paths.length).toBeGreaterThan(4)
  for (const path of paths) {
    const original = made.disk.contents(path.replace(RESTORED, DIRECTORY))
    expect(made.disk.contents(path)?.equals(original ?? Buffer.alloc(0)), path).toBe(true)
  }
  expect(await contents(made, RESTORED)).toEqual(texts)
  expect(end).toBeGreaterThan(4096)
})

it('of a killed process: what it had acknowledged last is in it', async () => {
  const made = world(4)
  const process = made.start()
  const log = await made.drive(process.open(SEGMENT))
  const acknowledged: string[] = []
  writer(made, log, acknowledged)
  await made.pass(60)
  made.disk.killProcess(process.clock)
  expect(acknowledged.length).toBeGreaterThan(10)
  await made.drive(take(made.start()))
  await made.drive(restore(made.start()))
  expect(await contents(made, RESTORED)).toEqual(expect.arrayContaining(acknowledged))
})

const ends = ['kill', 'power'] as const
/** How many calls lie between two ends, and the seeds by which the disk decides what is lost. */
const [every, seeds] = isFullRun ? [1, [6, 7, 8, 9, 10, 11]] : [5, [6]]

interface Last {
  readonly call: number
  /** Set when the task ended before this call. */
  isBehind: boolean
}

function* callsToEnd(): Generator<readonly [Last, number], void> {
  for (const seed of seeds) {
    for (let call = 1; ; call += every) {
      const last = { call, isBehind: false }
      yield [last, seed]
      if (last.isBehind) break
    }
  }
}

/** Runs `task`, ended before the call `last`; gives whether it had ended before. */
async function endedAt(
  made: World,
  last: number,
  how: (typeof ends)[number],
  task: (process: Process) => Promise<unknown>,
): Promise<boolean> {
  let isDone = false
  let isStopped = false
  const first = made.disk.calls
  made.disk.onCall((call) => {
    if (call - first !== last) return
    isStopped = true
    if (how === 'power') made.disk.crash()
    else made.disk.killAll()
  })
  task(made.start()).then(
    () => (isDone = true),
    () => (isDone = true),
  )
  await made.time.run({ untilMs: made.time.nowMs() + 60_000, isDone: () => isDone || isStopped })
  made.disk.onCall(undefined)
  return isDone && !isStopped
}

it.each(ends)(
  'a backup ended before any call by %s is none, or whole',
  async (how) => {
    let wholes = 0
    for (const [last, seed] of callsToEnd()) {
      const made = world(seed)
      const texts = await filled(made, made.start(), 14)
      const isDone = await endedAt(made, last.call, how, (process) => take(process))
      const found = await made
        .drive(verifyBackup({ disk: made.start().disk, from: TO }))
        .catch(code)
      if (found === 'NO_BACKUP' || found === 'DIRECTORY_UNUSABLE') {
        expect(isDone, `${last.call} of seed ${seed}`).toBe(false)
        await made.drive(take(made.start()))
      } else {
        expect(found, `${last.call} of seed ${seed}`).toMatchObject({ records: texts.length })
        wholes += 1
      }
      await made.drive(restore(made.start()))
      expect(await contents(made, RESTORED), `${last.call} of seed ${seed}`).toEqual(texts)
      expect(await contents(made, DIRECTORY)).toEqual(texts)
      if (isDone) last.isBehind = true
    }
    expect(wholes).toBeGreaterThan(0)
  },
  120_000,
)

it.each(ends)(
  'a restore ended before any call by %s is no log, or whole',
  async (how) => {
    const seen = { refused: 0, empty: 0, whole: 0 }
    for (const [last, seed] of callsToEnd()) {
      const made = world(seed)
      const texts = await filled(made, made.start(), 14)
      await made.drive(take(made.start()))
      const isDone = await endedAt(made, last.call, how, restore)
      const found = made.disk
        .paths()
        .filter((path) => path.endsWith('.seg') && path.startsWith(RESTORED))
      const opened = found.length === 0 ? 'empty' : await contents(made, RESTORED).catch(code)
      if (Array.isArray(opened)) {
        expect(opened, `${last.call} of seed ${seed}`).toEqual(texts)
        seen.whole += 1
      } else {
        seen[opened === 'empty' ? 'empty' : 'refused'] += 1
        if (opened !== 'empty')
          expect(opened, `${last.call} of seed ${seed}`).toBe('DIRECTORY_UNUSABLE')
        await made.drive(restore(made.start()))
        expect(await contents(made, RESTORED), `${last.call} of seed ${seed}`).toEqual(texts)
      }
      if (isDone) last.isBehind = true
    }
    for (const [name, count] of Object.entries(seen)) expect(count, name).toBeGreaterThan(0)
  },
  120_000,
)

const code = (error: unknown): string => (LogError.is(error) ? error.code : String(error))

it('a flipped bit in a backup is refused, and nothing stays where it was to be restored', async () => {
  const made = world(8)
  await filled(made, made.start(), 14)
  await made.drive(take(made.start()))
  const files = made.disk.paths().filter((path) => path.startsWith(`${TO}/`))
  await fc.assert(
    fc.asyncProperty(fc.nat(files.length - 1), fc.nat(), async (index, anyBit) => {
      const path = files[index] ?? ''
      const bit = anyBit % (8 * (made.disk.contents(path)?.length ?? 1))
      made.disk.flipBit(path, bit)
      const verified = await made
        .drive(verifyBackup({ disk: made.start().disk, from: TO }))
        .catch(code)
      const restored = await made.drive(restore(made.start())).catch(code)
      made.disk.flipBit(path, bit)
      const wanted = path.endsWith('backup.json') ? 'NO_BACKUP' : 'BACKUP_DAMAGED'
      expect([verified, restored]).toEqual([wanted, wanted])
      expect(made.disk.paths().filter((left) => left.startsWith(`${RESTORED}/`))).toEqual([])
    }),
    runs(60, 600),
  )
})

it('refuses what is not empty, not there, a backup or half a restore, and a damaged log', async () => {
  const made = world(9)
  const texts = await filled(made, made.start(), 20)
  const again = (): Promise<string> => made.drive(take(made.start())).then(String, code)
  made.disk.putFile(`${TO}/notes.txt`, Buffer.from('mine'))
  expect(await again()).toBe('NOT_EMPTY')
  made.disk.removeFile(`${TO}/notes.txt`)
  await made.drive(take(made.start()))
  expect(await again()).toBe('NOT_EMPTY')
  expect(await contents(made, TO).catch(code)).toBe('DIRECTORY_UNUSABLE')
  expect(await made.drive(restore(made.start())).then(Object, code)).toMatchObject({
    records: texts.length,
  })
  expect(await made.drive(restore(made.start())).catch(code)).toBe('NOT_EMPTY')
  const [first = ''] = made.disk.paths().filter((path) => path.startsWith(DIRECTORY))
  made.disk.flipBit(first, 8 * 150)
  for (const path of made.disk.paths()) if (path.startsWith(TO)) made.disk.removeFile(path)
  expect(await again()).toBe('CORRUPT')
  expect(made.disk.paths().filter((path) => path.startsWith(`${TO}/`))).toEqual([])
  const { disk, clock } = made.start()
  const missing = backupLog({ disk, clock, directory: '/nowhere', to: '/other' })
  expect(await made.drive(missing).catch(code)).toBe('NO_LOG')
})

it('a full disk ends a backup and a restore with a typed error, and both can be tried again', async () => {
  const made = world(10)
  const texts = await filled(made, made.start(), 30)
  const used = (): number =>
    made.disk.paths().reduce((sum, path) => sum + (made.disk.contents(path)?.length ?? 0), 0)
  made.disk.setCapacity(used() + 2000)
  expect(await made.drive(take(made.start())).catch(code)).toBe('DISK_FULL')
  made.disk.setCapacity(undefined)
  await made.drive(take(made.start()))
  made.disk.setCapacity(used() + 2000)
  expect(await made.drive(restore(made.start())).catch(code)).toBe('DISK_FULL')
  made.disk.setCapacity(undefined)
  await made.drive(restore(made.start()))
  expect(await contents(made, RESTORED)).toEqual(texts)
})
