/**
 * Rebuilt equals lived, also when most of what lived is gone: segments retire and are rewritten
 * while the log goes on, crashes, and loses its checkpoints.
 */
import { type Draft, type Position, RECORD_KINDS, type RecordKind } from '@sagalog/kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Folds, type Log, LogError, NeedsTable, openFolds } from '../src/index.js'
import { Campaign } from './campaign.js'
import { ledger } from './ledger.js'
import { DIRECTORY, type Process, readAll, textOf, world } from './world.js'

interface Step {
  readonly do: string
  readonly pick: number
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constantFrom('half', 'half', 'check', 'decide', 'decide', 'place', 'ack'),
      pick: fc.nat(1000),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('restate', 'retain', 'retain', 'checkpoint', 'pass'),
      pick: fc.nat(40),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('kill', 'power', 'close', 'failSync', 'forget'),
      pick: fc.nat(1000),
    }),
  },
)

/** What was appended, whatever the log has kept of it. */
interface Past {
  readonly kind: RecordKind
  readonly position: Position
  readonly text: string
}

const campaign = new Campaign({
  file: 'packages/log-core/test/retention.property.test.ts',
  of: 'lives',
  quick: 40,
  full: 1000,
  fullS: 30,
  mustReach: [
    ...['retired', 'rewritten', 'recycled', 'removed', 'checkpoint', 'log', 'restate', 'retain'],
    'needed body read',
  ],
})
const count = (what: string, by?: number): void => campaign.count(what, by)

async function runSteps(seed: number, steps: readonly Step[]): Promise<void> {
  const { start, disk, drive, pass } = world(seed)
  const settings = { segmentBytes: 1024, cacheBytes: 512 }
  let past: Past[] = []
  let process: Process = start()
  let log: Log = await drive(process.open(settings))
  let fold = ledger()
  let folds: Folds = await drive(openThem(fold))
  watch()
  let serial = 0

  function watch(): void {
    log.onAppend((records) => {
      for (const record of records) {
        const { kind, position } = record
        past.push({ kind, position, text: textOf(record) })
      }
    })
  }
  function openThem(into: ReturnType<typeof ledger>): Promise<Folds> {
    const { disk: own, clock } = process
    return openFolds({ log, disk: own, clock, directory: DIRECTORY, folds: [into] })
  }
  /** Every record that a crash left, in order, and no mark: also those that are gone since. */
  function lived(): string {
    const all = ledger()
    for (const { kind, position, text } of past) {
      if (RECORD_KINDS[kind].class === 'mark') continue
      const source = Buffer.from(text, 'latin1')
      all.evolve({ kind, position, version: 1, source, start: 0, end: source.length })
    }
    return all.text()
  }
  async function reopen(): Promise<void> {
    // A failure to come was for the life that ended.
    disk.failNextSync(-1)
    process = start()
    log = await drive(process.open(settings))
    const { end, removed, recycled } = log.report
    past = past.filter(({ position }) => position < end)
    count('removed', removed.length)
    count('recycled', recycled.length)
    fold = ledger()
    folds = await drive(openThem(fold))
    count(folds.from)
    expect(fold.text()).toBe(lived())
    if (serial % 2 === 0) await forgetCheckpoints()
    watch()
  }
  /** Without a single checkpoint the same comes out. */
  async function forgetCheckpoints(): Promise<void> {
    for (const path of disk.paths()) if (path.includes('.ckpt')) disk.removeFile(path)
    const rebuilt = ledger()
    await drive(openThem(rebuilt))
    expect(rebuilt.text()).toBe(lived())
  }
  function draftFor({ do: what, pick }: Step): Draft | undefined {
    const ids = fold.halfIds()
    const id = ids[pick % Math.max(1, ids.length)]
    const group = `group ${pick % 4}`
    if (what === 'half') return fold.open(`half ${serial} ${'.'.repeat(pick % 150)}`)
    if (what === 'place') return fold.groups().includes(group) ? undefined : fold.place(group, pick)
    if (what === 'ack') return fold.groups().includes(group) ? fold.ack(group, 1) : undefined
    if (id === undefined) return undefined
    return what === 'check' ? fold.check(id, pick) : fold.decide(id)
  }
  const begun = new Set<string>()
  /** One of a kind at a time, beside everything else. */
  function beside(what: string, work: () => Promise<void>): void {
    if (begun.has(what)) return
    begun.add(what)
    const ended = (): void => {
      begun.delete(what)
    }
    work().then(
      () => {
        count(what)
        ended()
      },
      (error: unknown) => {
        ended()
        if (!LogError.is(error)) throw error
      },
    )
  }
  async function retain(pick: number): Promise<void> {
    const [own, into] = [folds, log]
    const needs = new NeedsTable()
    const bodiesFrom = (): Position | undefined => own.needs()
    needs.set('folds', { needsBody: (record) => own.needsBody(record), bodiesFrom })
    const freeBelow = await own.freeBelow()
    const policy = { rewriteBelow: pick % 3 === 0 ? 0.95 : 0.6 }
    const report = await into.retain({ needs, freeBelow, policy })
    count('retired', report.retired.length)
    count('rewritten', report.rewritten.length)
  }
  async function endLife(how: string): Promise<void> {
    if (how === 'close') await drive(log.close().catch(() => undefined))
    else if (how === 'kill') disk.killProcess(process.clock)
    else disk.crash()
    begun.clear()
    await reopen()
  }
  function append(made: Draft | undefined): void {
    if (made === undefined || log.failure !== undefined) return
    log.append([made])
  }

  for (const one of steps) {
    serial += 1
    if (log.failure !== undefined) await endLife('kill')
    if (one.do === 'restate') beside('restate', async () => void (await folds.restate()))
    else if (one.do === 'retain') beside('retain', () => retain(one.pick))
    else if (one.do === 'checkpoint') {
      beside('checkpoint', async () => void (await folds.checkpoint()))
    } else if (one.do === 'failSync') disk.failNextSync(one.pick % 8)
    else if (one.do === 'forget') {
      for (const path of disk.paths()) if (path.includes('.ckpt')) disk.removeFile(path)
    } else if (['kill', 'power', 'close'].includes(one.do)) await endLife(one.do)
    else append(draftFor(one))
    await pass(one.do === 'pass' ? one.pick : 0.4)
  }
  await endLife('kill')
  await drive(folds.restate())
  for (let round = 0; round < 2; round += 1) await drive(retain(round))
  // What is needed is there, at its own position.
  for (const { position, kind, text } of past) {
    if (kind !== 'half' || !fold.halfIds().includes(text)) continue
    expect(textOf(await drive(log.read(position)))).toBe(text)
    count('needed body read')
  }
  const scrubbed = await drive(log.scrub().done)
  expect(scrubbed.damaged).toEqual([])
  expect((await drive(readAll(log))).length).toBeLessThanOrEqual(past.length)
  await endLife('power')
}

describe('a log that lets go what nobody needs', () => {
  it(
    'rebuilt equals lived',
    () =>
      campaign.check(
        fc.asyncProperty(fc.nat(), fc.array(step, { minLength: 60, maxLength: 200 }), runSteps),
      ),
    campaign.timeoutMs,
  )
})
