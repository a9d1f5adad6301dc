/** What the log is made to do while its machine is ended at every single call of the disk. */
import { sleep } from '@sagalog/kernel'
import { backupLog, type Durability, LogError } from '../src/index.js'
import { type Scenario, SEGMENT, type Stage } from './stage.js'
import { DIRECTORY, textOf } from './world.js'

function rolling(durability: Durability): Scenario {
  return async (stage) => {
    const log = await stage.open(durability)
    for (let n = 0; n < 12; n += 1) await stage.send(log, { by: 'a', bytes: 4 + n * 9 })
    await log.close()
  }
}

/** Three lives; the last record of each is left in flight. */
const reopening: Scenario = async (stage) => {
  const { disk } = stage.world
  for (const by of ['a', 'b', 'c']) {
    const process = stage.start()
    const log = await stage.open('sync', process)
    for (let n = 0; n < 3; n += 1) await stage.send(log, { by, bytes: 42 })
    await stage.append(log, { by, bytes: 42 })
    disk.killProcess(process.clock)
  }
}

const caching: Scenario = async (stage) => {
  const process = stage.start()
  const log = await stage.open('sync', process)
  const { fold, folds } = await stage.folds(log, process)
  for (let n = 0; n < 6; n += 1) {
    const drafts = [fold.open(`half ${n}`), fold.check(`half ${n}`, n)]
    const { text, end } = await stage.append(log, { by: 'a', with: drafts })
    await log.waitFor(end, 'sync')
    stage.note(text, 'sync')
    if (n === 2) await folds.checkpoint()
    if (n === 3) await folds.restate()
  }
  await folds.checkpoint()
  await log.close()
}

/** A life that ends inside what `begin` starts; the next one goes on from what it left. */
function interrupted(begin: 'checkpoint' | 'restate'): Scenario {
  return async (stage) => {
    const { disk } = stage.world
    for (const by of ['a', 'b']) {
      const process = stage.start()
      const log = await stage.open('sync', process)
      const { fold, folds } = await stage.folds(log, process)
      for (let n = 0; n < 3; n += 1) {
        const drafts = [fold.open(`half ${by} ${n}`), fold.place(`group ${by} ${n}`, n)]
        const { text, end } = await stage.append(log, { by, with: drafts })
        await log.waitFor(end, 'sync')
        stage.note(text, 'sync')
        if (n !== 1) continue
        const running = begin === 'checkpoint' ? folds.checkpoint() : folds.restate()
        await running
      }
      if (by === 'b') await log.close()
      else {
        // The marks of the second one have begun when the process ends.
        void folds.restate().catch(() => undefined)
        void folds.checkpoint().catch(() => undefined)
        await stage.append(log, { by })
        disk.killProcess(process.clock)
      }
    }
  }
}

const twoCallers: Scenario = async (stage) => {
  const log = await stage.open()
  const call = async (by: string, bytes: number): Promise<void> => {
    for (let n = 0; n < 6; n += 1) await stage.send(log, { by, bytes })
  }
  await Promise.all([call('a', 30), call('b', 70)])
  await log.close()
}

/** Frames that leave in one write, awaited by the last one's end. */
const batches: Scenario = async (stage) => {
  const log = await stage.open()
  for (let round = 0; round < 3; round += 1) {
    const frames = []
    for (let n = 0; n < 4; n += 1) frames.push(await stage.append(log, { by: 'a', bytes: 40 }))
    const last = frames.at(-1)
    if (last === undefined) return
    await log.waitFor(last.end, 'sync')
    for (const { text } of frames) stage.note(text, 'sync')
  }
  await log.close()
}

/** One log, a level for each write. */
const levels: Scenario = async (stage) => {
  const log = await stage.open('memory')
  for (let n = 0; n < 3; n += 1) {
    await stage.write(log, { by: 'a', level: 'memory', bytes: 40 })
    await stage.write(log, { by: 'a', level: 'os', bytes: 60 })
    await stage.write(log, { by: 'a', level: 'sync', bytes: 30 })
  }
  await log.close()
}

const osThenSync: Scenario = async (stage) => {
  const process = stage.start()
  const log = await stage.open('os', process)
  for (let round = 0; round < 2; round += 1) {
    for (let n = 0; n < 4; n += 1) await stage.send(log, { by: 'a', bytes: 50, level: 'os' })
    await stage.send(log, { by: 'a', bytes: 50 })
  }
  // Long enough for the sync that nobody asked for.
  await stage.send(log, { by: 'a', level: 'os' })
  await sleep(process.clock, 700)
  await log.close()
}

/** What a close returns from is safe, also what nobody waited for. */
function closing(durability: Durability): Scenario {
  return async (stage) => {
    const log = await stage.open(durability)
    const frames = []
    for (let n = 0; n < 7; n += 1) frames.push(await stage.append(log, { by: 'a', bytes: 60 }))
    await log.close()
    for (const { text } of frames) stage.note(text, 'sync')
  }
}

/** The next segment is late: appends wait for it. */
const slowPreparation: Scenario = async (stage) => {
  const { disk } = stage.world
  const log = await stage.open()
  disk.setSlow(2, 40)
  for (let n = 0; n < 7; n += 1) await stage.send(log, { by: 'a', bytes: 120 })
  disk.setSlow(0, 0)
  await log.close()
}

const fullThenSpace: Scenario = async (stage) => {
  const { disk } = stage.world
  const process = stage.start()
  const log = await stage.open('sync', process)
  await stage.write(log, { by: 'a', bytes: 100 })
  await sleep(process.clock, 10)
  disk.setCapacity(SEGMENT * 2 + 100)
  let refused = 0
  for (let n = 0; n < 14; n += 1) {
    if (await stage.write(log, { by: 'a', bytes: 100 })) continue
    refused += 1
    if (refused === 2) disk.setCapacity(undefined)
    await sleep(process.clock, 600)
  }
  await log.close()
}

/** The power goes inside the scenario, twice; what is left is gone on from. */
const ambiguousTail: Scenario = async (stage) => {
  const { disk } = stage.world
  for (const by of ['a', 'b', 'c']) {
    const process = stage.start()
    const log = await stage.open('sync', process)
    await stage.send(log, { by, bytes: 90 })
    await stage.append(log, { by, bytes: 200 })
    await stage.append(log, { by, bytes: 30 })
    if (by === 'c') await log.close()
    else {
      await sleep(process.clock, 0.4)
      disk.crash()
    }
  }
}

/** What a cursor at the level `sync` handed over was there for good. */
const following: Scenario = async (stage) => {
  const log = await stage.open('os')
  const cursor = log.cursor(log.start, { level: 'sync' })
  const reading = (async () => {
    for await (const records of cursor)
      for (const record of records) stage.note(textOf(record), 'sync')
  })()
  // Looked at in the end; a failure comes there first.
  reading.catch(() => undefined)
  for (let n = 0; n < 6; n += 1) {
    await stage.send(log, { by: 'a', bytes: 70, level: n % 3 === 2 ? 'sync' : 'os' })
  }
  await log.close()
  await reading
}

/** Bytes as they are stored, copied while the log grows; a reader of records reads along. */
const copying: Scenario = async (stage) => {
  const log = await stage.open()
  let from = log.start
  for (let n = 0; n < 6; n += 1) {
    await stage.send(log, { by: 'a', bytes: 90 })
    const range = await log.readFrames(from, { bytesMax: 200 })
    from = range.next
    for await (const records of log.scan(log.start)) if (records.length === 0) return
  }
  await log.close()
}

/** Frames as long as a segment allows, between short ones. */
const longFrames: Scenario = async (stage) => {
  const log = await stage.open()
  const bytes = log.frameBytesMax - 60
  for (let n = 0; n < 3; n += 1) {
    await stage.send(log, { by: 'a', bytes })
    await stage.send(log, { by: 'a', bytes: 12 })
  }
  await log.close()
}

/** More in flight than is allowed: appends are sent away and come back. */
const crowded: Scenario = async (stage) => {
  const process = stage.start()
  const log = await process.open({ segmentBytes: SEGMENT, inFlightBytesMax: 200 })
  const callers = ['a', 'b', 'c'].map(async (by) => {
    for (let n = 0; n < 3; n += 1) await stage.send(log, { by, bytes: 80 })
  })
  await Promise.all(callers)
  await log.close()
}

/** Pauses, in which the tail is proven by an empty frame. */
const pausing: Scenario = async (stage) => {
  const process = stage.start()
  const log = await stage.open('sync', process)
  for (let n = 0; n < 4; n += 1) {
    await stage.send(log, { by: 'a', bytes: 60 })
    await sleep(process.clock, 1500)
  }
  await log.close()
}

/** Somebody else tries to open the log meanwhile, and gets it in the end. */
const contended: Scenario = async (stage) => {
  const log = await stage.open()
  for (let n = 0; n < 3; n += 1) {
    await stage.send(log, { by: 'a', bytes: 60 })
    await expectLocked(stage)
  }
  await log.close()
  const next = await stage.open()
  await stage.send(next, { by: 'b', bytes: 60 })
  await next.close()
}

async function expectLocked(stage: Stage): Promise<void> {
  try {
    await stage.open()
  } catch (error) {
    if (LogError.is(error) && error.code === 'LOCKED') return
    throw error
  }
  throw new Error('a second opener was let in')
}

/** Closed and opened again and again, on both kinds of files. */
const closings: Scenario = async (stage) => {
  for (const [by, durability] of [
    ['a', 'sync'],
    ['b', 'os'],
    ['c', 'memory'],
    ['d', 'sync'],
  ] as const) {
    const log = await stage.open(durability)
    await stage.send(log, { by, bytes: 130 })
    await stage.append(log, { by, bytes: 130 })
    await log.close()
  }
}

/** Everything closed is verified while the log grows. */
const scrubbing: Scenario = async (stage) => {
  const log = await stage.open()
  for (let n = 0; n < 5; n += 1) await stage.send(log, { by: 'a', bytes: 130 })
  const { done } = log.scrub({ bytesPerSecond: 1 << 20 })
  for (let n = 0; n < 3; n += 1) await stage.send(log, { by: 'a', bytes: 130 })
  await done
  await log.close()
}

/** A copy is taken while the log grows. */
const backingUp: Scenario = async (stage) => {
  const process = stage.start()
  const log = await stage.open('sync', process)
  for (let n = 0; n < 4; n += 1) await stage.send(log, { by: 'a', bytes: 130 })
  const { disk, clock } = process
  const taking = backupLog({ disk, clock, directory: DIRECTORY, to: '/backup', log })
  // Looked at below; a failure of the log comes first.
  taking.catch(() => undefined)
  for (let n = 0; n < 3; n += 1) await stage.send(log, { by: 'a', bytes: 130 })
  await taking
  await log.close()
}

export const scenarios: readonly (readonly [string, Scenario])[] = [
  ['rolling, sync', rolling('sync')],
  ['rolling, os', rolling('os')],
  ['reopening a killed log', reopening],
  ['checkpoint and restatement', caching],
  ['a checkpoint cut short', interrupted('checkpoint')],
  ['a restatement cut short', interrupted('restate')],
  ['two callers', twoCallers],
  ['batches', batches],
  ['a level for each write', levels],
  ['os, then sync', osThenSync],
  ['a close during a write, sync', closing('sync')],
  ['a close during a write, memory', closing('memory')],
  ['a next segment that is late', slowPreparation],
  ['a full disk, then space', fullThenSpace],
  ['an ambiguous tail', ambiguousTail],
  ['a cursor that follows', following],
  ['copying frames', copying],
  ['long frames', longFrames],
  ['more than may be in flight', crowded],
  ['pauses', pausing],
  ['a second opener', contended],
  ['closings', closings],
  ['a scrub beside appends', scrubbing],
  ['a backup beside appends', backingUp],
]
