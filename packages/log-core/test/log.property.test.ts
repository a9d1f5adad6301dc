/**
 * The log against a model, with crashes: what was acknowledged survives at its level, order holds,
 * frames are whole, and the audit never calls a frame safe that a crash can take.
 */
import type { Position } from '@sagalog/kernel'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { type Durability, type Log, LogError } from '../src/index.js'
import { appendSoon, draft, type Process, readAll, runs, world } from './world.js'

type Command =
  | { readonly do: 'append'; readonly sizes: readonly number[] }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'kill' | 'power' | 'failSync' | 'close' | 'read' }
  | { readonly do: 'full'; readonly free: number }

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('append' as const),
      sizes: fc.array(fc.nat(90), { minLength: 1, maxLength: 4 }),
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
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('kill' as const, 'power' as const, 'read' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('failSync' as const, 'close' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('full' as const), free: fc.nat(2000) }) },
)

interface Frame {
  readonly texts: readonly string[]
  end: Position | undefined
  isAcknowledged: boolean
}

const reached: Record<string, number> = {}

async function runCommands(
  seed: number,
  settings: { durability: Durability; segmentBytes: number; cacheBytes: number },
  commands: readonly Command[],
): Promise<void> {
  const { start, time, disk, drive, pass } = world(seed)
  /** What every later opening must still show. */
  let kept: string[] = []
  let frames: Frame[] = []
  let serial = 0
  let process: Process = start()
  let log: Log = await drive(process.open(settings))
  /** Watermarks that stood higher than the account of the disk. */
  const early: string[] = []
  /** Appends that this log has neither acknowledged nor refused. */
  let waiting = new Set<Frame>()
  watch()

  function watch(): void {
    const watched = log
    watched.onAdvance(() => {
      for (const level of ['os', 'sync'] as const) {
        const end = watched.watermark(level)
        if (!watched.isSafe(end, level)) early.push(`${level} ${end}`)
      }
    })
  }

  /** Opens again and compares; `mustKeep` says what the way it ended cannot take. */
  async function reopen(mustKeep: (frame: Frame) => boolean): Promise<void> {
    const sequenced = frames.filter((frame) => frame.end !== undefined)
    for (let isOpen = false; !isOpen;) {
      process = start()
      try {
        log = await drive(process.open(settings))
        isOpen = true
      } catch (error) {
        // A sync that was told to fail may fail here.
        if (!LogError.is(error) || !['IO', 'FLUSH_FAILED'].includes(error.code)) throw error
      }
    }
    const found = await drive(readAll(log))
    expect(found.slice(0, kept.length)).toEqual(kept)
    let rest = found.slice(kept.length)
    let count = 0
    for (const frame of sequenced) {
      if (rest.length === 0) break
      expect(rest.slice(0, frame.texts.length)).toEqual(frame.texts)
      rest = rest.slice(frame.texts.length)
      count += 1
    }
    expect(rest).toEqual([])
    const lost = sequenced.slice(count)
    expect(lost.filter(mustKeep)).toEqual([])
    reached['framesLost'] = (reached['framesLost'] ?? 0) + lost.length
    reached['cuts'] = (reached['cuts'] ?? 0) + (log.report.cut === undefined ? 0 : 1)
    reached['framesKept'] = (reached['framesKept'] ?? 0) + count
    kept = found
    frames = []
    waiting = new Set()
    watch()
  }

  function append(sizes: readonly number[]): void {
    const texts = sizes.map((size) => {
      serial += 1
      return `${serial}:`.padEnd(size, 'x')
    })
    const frame: Frame = { texts, end: undefined, isAcknowledged: false }
    const [into, list, pending] = [log, frames, waiting]
    pending.add(frame)
    const acknowledged = async (): Promise<void> => {
      const { end } = await appendSoon(into, texts.map(draft))
      frame.end = end
      list.push(frame)
      await into.waitFor(end, settings.durability)
      expect(into.isSafe(end, settings.durability)).toBe(true)
      frame.isAcknowledged = true
    }
    acknowledged()
      .catch((error: unknown) => {
        if (!LogError.is(error)) throw error
      })
      .finally(() => pending.delete(frame))
  }

  const isSafeNow = (level: Durability) => (frame: Frame) =>
    frame.end !== undefined && log.isSafe(frame.end, level)

  for (const step of commands) {
    reached[step.do] = (reached[step.do] ?? 0) + 1
    switch (step.do) {
      case 'append':
        append(step.sizes)
        await Promise.resolve()
        break
      case 'pass':
        await pass(step.ms)
        break
      case 'full': {
        const used = disk.paths().reduce((sum, path) => sum + (disk.contents(path)?.length ?? 0), 0)
        disk.setCapacity(used + step.free)
        await pass(5)
        disk.setCapacity(undefined)
        break
      }
      case 'failSync':
        disk.failNextSync()
        break
      case 'read':
        if (log.failure === undefined) {
          const all = await drive(readAll(log)).catch((error: unknown) => {
            if (error === log.failure) return kept
            throw error
          })
          expect(all.slice(0, kept.length)).toEqual(kept)
        }
        break
      case 'close':
        await drive(log.close().catch(() => undefined))
        await reopen((frame) => frame.isAcknowledged && settings.durability === 'sync')
        break
      case 'kill': {
        const written = new Set(frames.filter(isSafeNow('os')))
        disk.killProcess(process.clock)
        await reopen(
          (frame) =>
            written.has(frame) || (frame.isAcknowledged && settings.durability !== 'memory'),
        )
        break
      }
      case 'power': {
        const synced = new Set(frames.filter(isSafeNow('sync')))
        disk.crash()
        await reopen(
          (frame) => synced.has(frame) || (frame.isAcknowledged && settings.durability === 'sync'),
        )
        break
      }
    }
  }
  await pass(5000)
  if (log.failure === undefined) expect([...waiting]).toEqual([])
  disk.crash()
  await reopen((frame) => frame.isAcknowledged && settings.durability === 'sync')
  for (const [name, count] of Object.entries(disk.faults)) {
    reached[name] = (reached[name] ?? 0) + Number(count)
  }
  expect(early).toEqual([])
  time.step(0)
}

describe('with crashes', () => {
  it('acknowledged frames survive, whole and in order, and the audit is never wrong', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.record({
          durability: fc.constantFrom(
            'sync' as const,
            'sync' as const,
            'os' as const,
            'memory' as const,
          ),
          segmentBytes: fc.constantFrom(512, 1024, 4096),
          cacheBytes: fc.constantFrom(256, 4096, 1 << 20),
        }),
        fc.array(command, { minLength: 20, maxLength: 80 }),
        runCommands,
      ),
      runs(150, 4000),
    )
  }, 600_000)

  afterAll(() => {
    // A run that reaches nothing proves nothing.
    for (const fault of [
      'powerLosses',
      'kills',
      'sectorsKept',
      'sectorsDropped',
      'writesTorn',
      'entriesVanished',
      'syncsFailed',
      'shortWrites',
      'shortReads',
      'fullErrors',
      'cuts',
      'framesLost',
      'framesKept',
    ]) {
      expect(reached[fault] ?? 0, fault).toBeGreaterThan(0)
    }
  })
})
