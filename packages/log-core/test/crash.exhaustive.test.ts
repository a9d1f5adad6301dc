/**
 * Scripted scenarios, ended before every single call of the disk: by a power loss and by a kill;
 * and with every single sync failing in turn. What was acknowledged is there afterwards.
 */
import { describe, expect, it } from 'vitest'
import { type Durability, LogError, openFolds } from '../src/index.js'
import { ledger } from './ledger.js'
import { appendSoon, DIRECTORY, draft, readAll, world, type World } from './world.js'

type Acknowledge = (text: string) => void
type Scenario = (made: World, acknowledge: Acknowledge) => Promise<void>

const SEGMENT = 512

function rolling(durability: Durability): Scenario {
  return async ({ start }, acknowledge) => {
    const log = await start().open({ segmentBytes: SEGMENT, durability })
    for (let n = 0; n < 12; n += 1) {
      const { end } = await appendSoon(log, [draft(`${n}:${'.'.repeat(n * 9)}`)])
      await log.waitFor(end, 'sync')
      acknowledge(`${n}:${'.'.repeat(n * 9)}`)
    }
    await log.close()
  }
}

const reopening: Scenario = async ({ start, disk }, acknowledge) => {
  for (const round of ['a', 'b', 'c']) {
    const process = start()
    const log = await process.open({ segmentBytes: SEGMENT })
    for (let n = 0; n < 4; n += 1) {
      const text = `${round}${n}${'.'.repeat(40)}`
      const { end } = await appendSoon(log, [draft(text)])
      // The last one of each round is left in flight.
      if (n === 3) break
      await log.waitFor(end, 'sync')
      acknowledge(text)
    }
    disk.killProcess(process.clock)
  }
}

const single: Scenario = async ({ start }, acknowledge) => {
  const log = await start().open({ segmentBytes: SEGMENT })
  const { end } = await appendSoon(log, [draft('after the kill')])
  await log.waitFor(end, 'sync')
  acknowledge('after the kill')
}

const caching: Scenario = async ({ start }, acknowledge) => {
  const process = start()
  const log = await process.open({ segmentBytes: 4096 })
  const fold = ledger()
  const { disk, clock } = process
  const folds = await openFolds({ log, disk, clock, directory: DIRECTORY, folds: [fold] })
  for (let n = 0; n < 6; n += 1) {
    const { end } = await appendSoon(log, [fold.open(`half ${n}`), fold.check(`half ${n}`, n)])
    await log.waitFor(end, 'sync')
    acknowledge(`half ${n}`)
    if (n === 2) await folds.checkpoint()
    if (n === 3) await folds.restate()
  }
  await folds.checkpoint()
  await log.close()
}

/** Runs the scenario until it ends or until `stop` ended its world; gives what was acknowledged. */
async function play(scenario: Scenario, made: World, isStopped: () => boolean): Promise<string[]> {
  const acknowledged: string[] = []
  let isDone = false
  const ending = scenario(made, (text) => acknowledged.push(text)).then(
    () => (isDone = true),
    (error: unknown) => {
      isDone = true
      if (!LogError.is(error)) throw error
    },
  )
  await made.time.run({ untilMs: made.time.nowMs() + 60_000, isDone: () => isDone || isStopped() })
  if (isDone) await ending
  return acknowledged
}

async function countCalls(scenario: Scenario): Promise<number> {
  const made = world(3)
  await play(scenario, made, () => false)
  return made.disk.calls
}

/** Everything readable, and the folds of a rebuild and of a checkpoint alike. */
async function inspect({ start, drive, disk }: World): Promise<string[]> {
  const process = start()
  const log = await drive(process.open({ segmentBytes: SEGMENT }))
  const states: string[] = []
  for (let round = 0; round < 2; round += 1) {
    const fold = ledger()
    const { clock } = process
    const options = { log, disk: process.disk, clock, directory: DIRECTORY, folds: [fold] }
    await drive(openFolds(options))
    states.push(fold.text())
    for (const path of disk.paths()) if (path.endsWith('.ckpt')) disk.removeFile(path)
  }
  expect(states[0]).toBe(states[1])
  const texts = await drive(readAll(log))
  await drive(log.close())
  return texts
}

describe.each<[string, Scenario]>([
  ['rolling, sync', rolling('sync')],
  ['rolling, os', rolling('os')],
  ['reopening a killed log', reopening],
  ['checkpoint and restatement', caching],
])('%s', (_, scenario) => {
  it.each(['power', 'kill'] as const)(
    'ended before every call by %s',
    async (how) => {
      const calls = await countCalls(scenario)
      expect(calls).toBeGreaterThan(30)
      for (let last = 1; last <= calls; last += 1) {
        const made = world(3)
        let isStopped = false
        made.disk.onCall((call) => {
          if (call !== last) return
          isStopped = true
          // Every process of the world is in the scenario: a power loss or the end of all of them.
          if (how === 'power') made.disk.crash()
          else made.disk.killAll()
        })
        const acknowledged = await play(scenario, made, () => isStopped)
        made.disk.onCall(undefined)
        const texts = await inspect(made)
        expect(
          texts.filter((text) => acknowledged.includes(text)),
          `${last}`,
        ).toEqual(acknowledged)
      }
    },
    120_000,
  )

  it('killed before every call, going on, then a power loss', async () => {
    const calls = await countCalls(scenario)
    for (let last = 1; last <= calls; last += 1) {
      const made = world(3)
      let isStopped = false
      made.disk.onCall((call) => {
        if (call !== last) return
        isStopped = true
        made.disk.killAll()
      })
      const acknowledged = await play(scenario, made, () => isStopped)
      made.disk.onCall(undefined)
      // One record, and the power goes: nothing else has synced what the next opening found.
      const later = await play(single, made, () => false)
      expect(later).toHaveLength(1)
      made.disk.crash()
      expect(await inspect(made), `${last}`).toEqual(
        expect.arrayContaining([...acknowledged, ...later]),
      )
    }
  }, 120_000)

  it('killed after each failed sync, going on, then a power loss', async () => {
    for (let skipped = 0; ; skipped += 1) {
      const made = world(4)
      made.disk.failNextSync(skipped)
      let isStopped = false
      made.disk.onCall(() => {
        if (made.disk.faults.syncsFailed === 0 || isStopped) return
        isStopped = true
        made.disk.killAll()
      })
      const acknowledged = await play(scenario, made, () => isStopped)
      made.disk.onCall(undefined)
      if (made.disk.faults.syncsFailed === 0) break
      made.disk.killAll()
      // Long enough to go on in the segment whose sync may have failed.
      const later = await play(rolling('sync'), made, () => false)
      expect(later, `${skipped}`).toHaveLength(12)
      made.disk.crash()
      expect(await inspect(made), `${skipped}`).toEqual(
        expect.arrayContaining([...acknowledged, ...later]),
      )
    }
  }, 120_000)

  it('every sync failing in turn, then a power loss', async () => {
    for (let skipped = 0; ; skipped += 1) {
      const made = world(4)
      made.disk.failNextSync(skipped)
      const acknowledged = await play(scenario, made, () => false)
      if (made.disk.faults.syncsFailed === 0) {
        expect(skipped).toBeGreaterThan(10)
        break
      }
      // First the same machine goes on, on what its page cache shows; then the power goes.
      made.disk.killAll()
      expect(await inspect(made)).toEqual(expect.arrayContaining(acknowledged))
      made.disk.crash()
      expect(await inspect(made)).toEqual(expect.arrayContaining(acknowledged))
    }
  }, 120_000)
})
