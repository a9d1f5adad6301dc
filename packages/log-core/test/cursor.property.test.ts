/**
 * Cursors and ranges against a model, on a disk with every fault but damage: each cursor hands over
 * what was appended, in order and without a gap, nothing before it has reached its level, and all
 * of it in the end. Ranges are the bytes of the files.
 */
import type { Position } from '@sagalog/kernel'
import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import { type Durability, type Log, type LogCursor, LogError } from '../src/index.js'
import { appendSoon, draft, type Process, runs, textOf, world } from './world.js'

type Step =
  | { readonly do: 'append'; readonly sizes: readonly number[] }
  | { readonly do: 'open'; readonly level: Durability; readonly from: number }
  | { readonly do: 'closeCursor' | 'range'; readonly which: number }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'slow' | 'failSync' }

const LEVELS = ['memory', 'os', 'sync'] as const
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      sizes: fc.array(fc.nat(120), { minLength: 1, maxLength: 3 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('open' as const),
      level: fc.constantFrom(...LEVELS),
      from: fc.nat(1000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('closeCursor' as const, 'range' as const),
      which: fc.nat(1000),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.oneof(fc.double({ min: 0, max: 3, noNaN: true }), fc.constantFrom(20, 1500)),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('slow' as const, 'failSync' as const) }),
  },
)

interface Known {
  readonly text: string
  readonly position: Position
  /** Of its frame. */
  readonly end: Position
}

/** A cursor with what it should see from its start on. */
interface Follower {
  readonly cursor: LogCursor
  readonly from: Position
  readonly seen: string[]
  ended: 'no' | 'closed' | 'failed'
}

const reached: Record<string, number> = {}
const count = (what: string): void => void (reached[what] = (reached[what] ?? 0) + 1)

class Model {
  readonly log: Log
  readonly known: Known[] = []
  readonly followers: Follower[] = []
  readonly early: string[] = []
  #serial = 0

  constructor(log: Log) {
    this.log = log
  }

  /** Appended in order, each as soon as there is room. */
  async append(sizes: readonly number[]): Promise<void> {
    const texts = sizes.map((size) => `${(this.#serial += 1)}:`.padEnd(size, 'x'))
    const { records, end } = await appendSoon(this.log, texts.map(draft))
    for (const record of records) {
      this.known.push({ text: textOf(record), position: record.position, end })
    }
  }

  open(level: Durability, pick: number): void {
    const starts = [this.log.start, ...this.known.map(({ position }) => position)]
    const from = starts[pick % starts.length] ?? this.log.start
    const cursor = this.log.cursor(from, { level })
    const follower: Follower = { cursor, from, seen: [], ended: 'no' }
    this.followers.push(follower)
    void this.#follow(follower)
  }

  async #follow(follower: Follower): Promise<void> {
    const { cursor, seen } = follower
    try {
      for await (const records of cursor) {
        for (const record of records) {
          const known = this.known.find(({ position }) => position === record.position)
          const isSafe = known !== undefined && this.log.isSafe(known.end, cursor.level)
          if (!isSafe) this.early.push(`${cursor.level} ${record.position}`)
          seen.push(textOf(record))
        }
      }
      follower.ended = 'closed'
    } catch (error) {
      if (!LogError.is(error)) throw error
      follower.ended = 'failed'
    }
  }

  /** What a follower must have seen by now, and may have seen. */
  check(follower: Follower, isFinal: boolean): void {
    const all = this.known.filter(({ position }) => position >= follower.from)
    const { seen, cursor } = follower
    expect(seen).toEqual(all.slice(0, seen.length).map(({ text }) => text))
    if (!isFinal || follower.ended === 'closed') return
    const level = this.log.failure === undefined ? cursor.level : 'sync'
    const safe = all.filter(({ end }) => end <= this.log.watermark(level))
    expect(seen.length).toBeGreaterThanOrEqual(safe.length)
  }

  checkNeeds(): void {
    const open = this.followers.filter(({ ended }) => ended === 'no')
    const lowest = Math.min(...open.map(({ cursor }) => cursor.position))
    expect(this.log.cursorNeeds ?? Infinity).toBe(lowest)
  }
}

/** The ranges from the start are the log's bytes, whole frames up to the durable end. */
async function checkRanges(log: Log, bytesMax: number): Promise<void> {
  let bytes = 0
  let at = log.start
  const end = log.watermark('sync')
  for (;;) {
    const range = await log.readFrames(at, { level: 'sync', bytesMax })
    if (range.bytes.length === 0) break
    bytes += range.bytes.length
    at = range.next
  }
  expect(at).toBeGreaterThanOrEqual(end)
  if (at === log.watermark('memory')) expect(bytes).toBe(log.stats.appended)
}

interface Settings {
  readonly durability: Durability
  readonly segmentBytes: number
  readonly cacheBytes: number
}

async function run(seed: number, settings: Settings, steps: readonly Step[]): Promise<void> {
  const { start, disk, drive, pass } = world(seed)
  const process: Process = start()
  const model = new Model(await drive(process.open(settings)))
  const { log } = model
  const act = async (one: Step): Promise<void> => {
    if (log.failure !== undefined) return
    if (one.do === 'append') await drive(model.append(one.sizes))
    if (one.do === 'open') model.open(one.level, one.from)
    if (one.do === 'closeCursor') {
      model.followers[one.which % Math.max(1, model.followers.length)]?.cursor.close()
      await pass(0)
    }
    if (one.do === 'range') await drive(checkRanges(log, 1 + one.which))
    if (one.do === 'pass') await pass(one.ms)
    if (one.do === 'slow') disk.setSlow(3, 5)
    if (one.do === 'failSync') disk.failNextSync()
  }
  for (const one of steps) {
    count(one.do)
    await act(one).catch((error: unknown) => {
      if (log.failure === undefined || error !== log.failure) throw error
    })
    for (const follower of model.followers) model.check(follower, false)
  }
  await pass(5000)
  model.checkNeeds()
  for (const follower of model.followers) model.check(follower, true)
  if (log.failure !== undefined) {
    count('failures')
    for (const { ended } of model.followers) expect(ended).not.toBe('no')
  }
  await drive(log.close().catch(() => undefined))
  await pass(100)
  for (const follower of model.followers) {
    expect(follower.ended).not.toBe('no')
    model.check(follower, false)
    count(follower.ended)
  }
  expect(log.cursorNeeds).toBeUndefined()
  expect(model.early).toEqual([])
  expect(disk.inFlight).toBe(0)
}

it('each cursor hands over all that reaches its level, in order, and nothing before', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.record({
        durability: fc.constantFrom(...LEVELS),
        segmentBytes: fc.constantFrom(512, 1024, 4096),
        cacheBytes: fc.constantFrom(0, 1024, 1 << 20),
      }),
      fc.array(step, { minLength: 10, maxLength: 60 }),
      run,
    ),
    runs(100, 3000),
  )
}, 600_000)

afterAll(() => {
  // A run that reaches nothing proves nothing.
  for (const what of ['open', 'closeCursor', 'range', 'failures', 'closed', 'failed']) {
    expect(reached[what] ?? 0, what).toBeGreaterThan(0)
  }
})
