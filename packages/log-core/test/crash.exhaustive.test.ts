/**
 * Scripted scenarios, ended before every single call of the disk: by a power loss and by a kill;
 * with every single sync failing in turn, and with every single call. What was acknowledged is
 * there afterwards. The plain run ends each scenario at every call in one of the ways, and two
 * scenarios in all; the full run plays all of all, and each power loss with every choice of what a
 * small number of pending sectors and entries may leave.
 */
import { afterAll, describe, expect, it } from 'vitest'
import { scenarios } from './scenarios.js'
import { type Scenario, Stage } from './stage.js'
import { isFullRun } from './world.js'

/** Up to so many things pending, a power loss tries all that they can leave: 2^n trials. */
const PENDING_MAX = isFullRun ? 6 : 0

const reached: Record<string, number> = {}
const count = (what: string, by = 1): void => {
  reached[what] = (reached[what] ?? 0) + by
}

async function countCalls(scenario: Scenario): Promise<number> {
  const stage = new Stage(3)
  await stage.play(scenario)
  expect(stage.acknowledged.length).toBeGreaterThanOrEqual(3)
  return stage.world.disk.calls
}

/** Plays until just before the call with this number, where `end` ends the world. */
async function playUntil(scenario: Scenario, last: number, end: (stage: Stage) => void) {
  const stage = new Stage(3)
  const { disk } = stage.world
  let isStopped = false
  disk.onCall((call) => {
    if (call !== last) return
    isStopped = true
    end(stage)
  })
  await stage.play(scenario, () => isStopped)
  disk.onCall(undefined)
  disk.setCapacity(undefined)
  disk.setSlow(0, 0)
  return stage
}

/** One record by a process that comes later. */
const single: Scenario = async (stage) => {
  const log = await stage.open()
  await stage.send(log, { by: 'later' })
}

const more: Scenario = async (stage) => {
  const log = await stage.open()
  for (let n = 0; n < 12; n += 1) await stage.send(log, { by: 'later', bytes: 4 + n * 9 })
  await log.close()
}

/** No fault is left to come. */
function settleFaults({ world: { disk } }: Stage): void {
  disk.failNextCall(-1)
  disk.failNextSync(-1)
  disk.setCapacity(undefined)
  disk.setSlow(0, 0)
}

/** A power loss whose choices are the bits of `mask`; gives how many there were. */
async function losePower(scenario: Scenario, last: number, mask: number): Promise<number> {
  let asked = 0
  const stage = await playUntil(scenario, last, ({ world: { disk } }) =>
    disk.crash(() => {
      asked += 1
      return ((mask >> ((asked - 1) % 31)) & 1) === 1
    }),
  )
  await stage.check(['sync'], `power before call ${last}, leaving ${mask.toString(2)}`)
  count('power losses')
  return asked
}

const ignored = (): void => undefined

/** The scenarios that the plain run plays in all ways. */
const inAllWays = new Set(scenarios.slice(0, 2).map(([name]) => name))

describe.each(scenarios)('%s', (name, scenario) => {
  // Three ways take turns, so that each call is met in one of them.
  const stride = isFullRun || inAllWays.has(name) ? 1 : 3
  /** The ways that tell least are played where there is time for them. */
  const also = isFullRun || inAllWays.has(name) ? it : ignored

  it('ended before every call by power', async () => {
    const calls = await countCalls(scenario)
    expect(calls).toBeGreaterThan(20)
    for (let last = 1; last <= calls; last += stride) {
      const stage = await playUntil(scenario, last, ({ world: { disk } }) => disk.crash())
      await stage.check(['sync'], `power before call ${last}`)
      count('power losses')
      if (PENDING_MAX === 0) continue
      const pending = await losePower(scenario, last, 0)
      if (pending > PENDING_MAX) count('power losses with more pending')
      else for (let mask = 1; mask < 2 ** pending; mask += 1) await losePower(scenario, last, mask)
    }
  }, 600_000)

  also(
    'ended before every call by kill',
    async () => {
      const calls = await countCalls(scenario)
      for (let last = 1; last <= calls; last += 1) {
        const stage = await playUntil(scenario, last, ({ world: { disk } }) => disk.killAll())
        await stage.check(['sync', 'os'], `kill before call ${last}`)
        count('kills')
      }
    },
    600_000,
  )

  it('killed before every call, going on, then a power loss', async () => {
    const calls = await countCalls(scenario)
    for (let last = Math.min(2, stride); last <= calls; last += stride) {
      const stage = await playUntil(scenario, last, ({ world: { disk } }) => disk.killAll())
      // One record, and the power goes: nothing else has synced what the next opening found.
      await stage.play(single)
      stage.world.disk.crash()
      await stage.check(['sync'], `kill before call ${last}, then power`)
      count('kills')
    }
  }, 600_000)

  also(
    'killed after each failed sync, going on, then a power loss',
    async () => {
      for (let skipped = 0; ; skipped += 1) {
        const stage = new Stage(4)
        const { disk } = stage.world
        disk.failNextSync(skipped)
        let isStopped = false
        disk.onCall(() => {
          if (disk.faults.syncsFailed === 0 || isStopped) return
          isStopped = true
          disk.killAll()
        })
        await stage.play(scenario, () => isStopped)
        disk.onCall(undefined)
        if (disk.faults.syncsFailed === 0) break
        settleFaults(stage)
        disk.killAll()
        // Long enough to go on in the segment whose sync may have failed.
        await stage.play(more)
        disk.crash()
        await stage.check(['sync'], `sync ${skipped} failed`)
        count('failed syncs')
      }
    },
    600_000,
  )

  also(
    'every sync failing in turn, then a power loss',
    async () => {
      for (let skipped = 0; ; skipped += 1) {
        const stage = new Stage(4)
        const { disk } = stage.world
        disk.failNextSync(skipped)
        await stage.play(scenario)
        if (disk.faults.syncsFailed === 0) {
          expect(skipped).toBeGreaterThan(7)
          break
        }
        settleFaults(stage)
        // First the same machine goes on, on what its page cache shows; then the power goes.
        disk.killAll()
        await stage.check(['sync'], `sync ${skipped} failed`)
        disk.crash()
        await stage.check(['sync'], `sync ${skipped} failed, then power`)
        count('failed syncs')
      }
    },
    600_000,
  )

  it('every call failing in turn, then a power loss', async () => {
    for (let skipped = stride - 1; ; skipped += stride) {
      const stage = new Stage(5)
      const { disk } = stage.world
      disk.failNextCall(skipped)
      await stage.play(scenario)
      if (disk.faults.callsFailed === 0) {
        expect(skipped).toBeGreaterThan(19)
        break
      }
      settleFaults(stage)
      disk.killAll()
      await stage.check(['sync', 'os'], `call ${skipped} failed`)
      disk.crash()
      await stage.check(['sync'], `call ${skipped} failed, then power`)
      count('failed calls')
    }
  }, 600_000)
})

describe('the table of scenarios', () => {
  it('has at least twenty', () => {
    expect(scenarios.length).toBeGreaterThanOrEqual(20)
    expect(new Set(scenarios.map(([name]) => name)).size).toBe(scenarios.length)
  })

  afterAll(() => {
    console.log(`${scenarios.length} scenarios: ${JSON.stringify(reached)}`)
  })
})
