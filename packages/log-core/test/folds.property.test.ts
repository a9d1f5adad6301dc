/**
 * Rebuilt equals lived: with restatements cut short or whole, checkpoints kept, old, torn or gone.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Draft, type LogRecord, RECORD_KINDS } from '@sagalog/kernel'
import { type Folds, type Log, LogError, openFolds } from '../src/index.js'
import { Campaign } from './campaign.js'
import { ledger } from './ledger.js'
import { DIRECTORY, draft, type Process, world } from './world.js'

const step = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constantFrom('half', 'check', 'decide', 'place', 'ack', 'message'),
      pick: fc.nat(1000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('restate', 'checkpoint', 'pass', 'turns'),
      pick: fc.nat(40),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('kill', 'power', 'close', 'damage'),
      pick: fc.nat(1000),
    }),
  },
)

/** The log with some of its methods replaced. */
function instead(log: Log, methods: Partial<Log>): Log {
  return new Proxy(log, {
    get(whole, name) {
      const own = Reflect.get(methods, name) as unknown
      if (own !== undefined) return own
      const value = Reflect.get(whole, name, whole) as unknown
      return typeof value === 'function' ? (value.bind(whole) as unknown) : value
    },
  })
}

/** The log as it would be with some of its records rewritten away. */
function without(log: Log, isGone: (record: LogRecord) => boolean): Log {
  return instead(log, {
    async *scan(from, options) {
      for await (const records of log.scan(from, options))
        yield records.filter((record) => !isGone(record))
    },
  })
}

const campaign = new Campaign({
  file: 'packages/log-core/test/folds.property.test.ts',
  of: 'lists of steps',
  quick: 60,
  full: 4000,
  fullS: 30,
  mustReach: [
    'checkpoint',
    'log',
    'restate done',
    'checkpoint done',
    'facts forgotten',
    'bodies forgotten',
  ],
})
const count = (what: string): void => campaign.count(what)

async function runSteps(seed: number, steps: readonly { do: string; pick: number }[]) {
  const { start, disk, drive, pass, time } = world(seed)
  const settings = { segmentBytes: 1024, cacheBytes: 2048 }
  let process: Process = start()
  let log: Log = await drive(process.open(settings))
  let fold = ledger()
  let folds: Folds = await drive(openThem(fold))
  let serial = 0

  function openThem(into: ReturnType<typeof ledger>): Promise<Folds> {
    const { disk: own, clock } = process
    return openFolds({ log, disk: own, clock, directory: DIRECTORY, folds: [into] })
  }
  /** What lived: every record in order, and no mark. */
  async function lived(): Promise<string> {
    const all = ledger()
    for await (const records of log.scan(log.start)) {
      for (const record of records) if (!record.kind.startsWith('restatement')) all.evolve(record)
    }
    return all.text()
  }
  async function reopen(): Promise<void> {
    process = start()
    log = await drive(process.open(settings))
    const expected = await drive(lived())
    fold = ledger()
    folds = await drive(openThem(fold))
    count(folds.from)
    expect(fold.text()).toBe(expected)
    for (const path of disk.paths()) {
      if (path.includes('.ckpt') && serial % 2 === 0) disk.removeFile(path)
    }
    const rebuilt = ledger()
    const again = await drive(openThem(rebuilt))
    expect(rebuilt.text()).toBe(expected)
    await forget(again, expected)
  }
  /** What is not needed may be gone: facts below the last restatement, bodies one by one. */
  async function forget(own: Folds, expected: string): Promise<void> {
    const below = await drive(own.freeBelow())
    if (below > log.start) count('facts forgotten')
    const forgetful = without(log, (record) => {
      const isGone =
        RECORD_KINDS[record.kind].class === 'body'
          ? !own.needsBody(record)
          : record.position < below
      if (isGone && RECORD_KINDS[record.kind].class === 'body') count('bodies forgotten')
      return isGone
    })
    const rebuilt = ledger()
    const { disk: from, clock } = process
    const there = { log: forgetful, disk: from, clock, directory: DIRECTORY, folds: [rebuilt] }
    await drive(openFolds(there))
    expect(rebuilt.text()).toBe(expected)
  }
  function draftFor({ do: what, pick }: { do: string; pick: number }): Draft | undefined {
    const ids = fold.halfIds()
    const id = ids[pick % Math.max(1, ids.length)]
    const group = `group ${pick % 4}`
    if (what === 'half') return fold.open(`half ${serial}`)
    if (what === 'message') return draft('m'.repeat(pick % 200))
    if (what === 'place') return fold.groups().includes(group) ? undefined : fold.place(group, pick)
    if (what === 'ack') return fold.groups().includes(group) ? fold.ack(group, 1) : undefined
    if (id === undefined) return undefined
    return what === 'check' ? fold.check(id, pick) : fold.decide(id)
  }
  function ignoreFailure(promise: Promise<unknown>, what: string): void {
    promise.then(
      () => count(`${what} done`),
      (error: unknown) => {
        if (!LogError.is(error)) throw error
      },
    )
  }
  let isRestating = false
  async function restate(): Promise<void> {
    if (isRestating) return
    isRestating = true
    try {
      await folds.restate()
    } finally {
      isRestating = false
    }
  }

  for (const one of steps) {
    serial += 1
    switch (one.do) {
      case 'restate':
        ignoreFailure(restate(), 'restate')
        break
      case 'checkpoint':
        ignoreFailure(folds.checkpoint(), 'checkpoint')
        break
      case 'pass':
        await pass(one.pick / 8)
        break
      case 'turns':
        // A turn of the loop each: a save and a restatement take one slice in it.
        for (let n = one.pick % 4; n >= 0; n -= 1) time.step(time.nowMs() + 0.01)
        await pass(0)
        break
      case 'close':
        await drive(log.close())
        await reopen()
        isRestating = false
        break
      case 'kill':
      case 'power':
        if (one.do === 'kill') disk.killProcess(process.clock)
        else disk.crash()
        await reopen()
        isRestating = false
        break
      case 'damage': {
        // The newest: the one that the next opening would take.
        const path = disk.paths().findLast((name) => name.endsWith('.ckpt'))
        const bits = (path === undefined ? 0 : (disk.contents(path)?.length ?? 0)) * 8
        if (path !== undefined && bits > 0) disk.flipBit(path, one.pick % bits)
        break
      }
      default: {
        const made = draftFor(one)
        if (made === undefined) break
        const appended = log.append([made])
        if (typeof appended === 'string') {
          await pass(5)
          break
        }
        break
      }
    }
  }
  expect(fold.text()).toBe(await drive(lived()))
  disk.crash()
  await reopen()
}

describe('folds', () => {
  it(
    'rebuilt equals lived',
    async () => {
      const lists = fc.array(step, { minLength: 30, maxLength: 120 })
      await campaign.check(fc.asyncProperty(fc.nat(), lists, runSteps))
    },
    campaign.timeoutMs,
  )

  it('a slice that waited while something changed is not appended any more', async () => {
    const { start, drive, disk } = world(1)
    const process = start()
    const log = await drive(process.open())
    const fold = ledger()
    const append = (made: Draft): void => {
      const appended = log.append([made])
      if (typeof appended === 'string') throw new Error(appended)
    }
    let calls = 0
    const fickle = instead(log, {
      append(drafts) {
        if (drafts[0]?.kind === 'restatement-begin') calls = 0
        calls += 1
        // The first slice is sent away, and the place it holds moves.
        if (calls !== 2 || fold.places().includes(6)) return log.append(drafts)
        queueMicrotask(() => append(fold.ack('group', 5)))
        return 'wait'
      },
    })
    const options = { disk: process.disk, clock: process.clock, directory: DIRECTORY }
    const folds = await drive(openFolds({ ...options, log: fickle, folds: [fold] }))
    append(fold.place('group', 1))
    await drive(folds.restate())
    expect(fold.places()).toEqual([6])
    const rebuilt = ledger()
    await drive(openFolds({ ...options, log, folds: [rebuilt] }))
    expect(rebuilt.text()).toBe(fold.text())
    expect(disk.paths().some((path) => path.endsWith('.ckpt'))).toBe(false)
  })
})
