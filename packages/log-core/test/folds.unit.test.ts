/** What a turn of the event loop takes of a large fold: always a slice, whatever its size. */
import type { Disk } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import { type Folds, openFolds } from '../src/index.js'
import {
  CHECKPOINT_BLOCK_BYTES,
  RESTATE_SLICE_DRAFTS,
  SAVE_SLICE_BYTES,
  SAVE_SLICE_ENTRIES,
} from '../src/limits.js'
import { EntriesFold } from '../src/testing/index.js'
import { appendSoon, DIRECTORY, world } from './world.js'

const ENTRIES = 50_000
/** Of one entry as it is drafted: nine digits, a bar and a value. */
const ENTRY_BYTES = 12
/** The last chunk may go over the bound of a slice. */
const SLICE_ENTRIES_MAX = SAVE_SLICE_BYTES / ENTRY_BYTES + SAVE_SLICE_ENTRIES

/** A disk that tells the size of each read and write of a checkpoint. */
function watched(disk: Disk, told: number[]): Disk {
  return {
    ...disk,
    async open(path, options) {
      const file = await disk.open(path, options)
      if (!path.includes('.ckpt')) return file
      return new Proxy(file, {
        get(whole, name) {
          const value = Reflect.get(whole, name, whole) as unknown
          if (typeof value !== 'function') return value
          return (...args: [Uint8Array, number]) => {
            if (name === 'write' || name === 'read') told.push(args[0].length)
            return value.apply(whole, args) as unknown
          }
        },
      })
    },
  }
}

async function openLarge() {
  const { start, drive, time } = world(1)
  const process = start()
  const log = await drive(process.open({ segmentBytes: 1 << 22, durability: 'os' }))
  const sizes: number[] = []
  const disk = watched(process.disk, sizes)
  const open = (fold: EntriesFold): Promise<Folds> =>
    openFolds({ log, disk, clock: process.clock, directory: DIRECTORY, folds: [fold] })
  const fold = new EntriesFold()
  const folds = await drive(open(fold))
  for (let n = 0; n < ENTRIES; n += 500) {
    const drafts = Array.from({ length: 500 }, (_, k) =>
      EntriesFold.draft(String(n + k).padStart(9, '0'), '-'),
    )
    await drive(appendSoon(log, drafts))
  }
  /** The most that `count` grew by in one turn until the promise settled. */
  async function most(promise: Promise<unknown>, count: () => number): Promise<number> {
    let isSettled = false
    let before = count()
    let highest = 0
    promise.finally(() => (isSettled = true)).catch(() => undefined)
    const isDone = (): boolean => {
      highest = Math.max(highest, count() - before)
      before = count()
      return isSettled
    }
    await time.run({ untilMs: time.nowMs() + 60_000, isDone })
    expect(isSettled).toBe(true)
    await promise
    return highest
  }
  return { log, drive, fold, folds, open, most, sizes }
}

describe('a large fold', () => {
  it('is saved, loaded and restated in slices, and never as one buffer', async () => {
    const { fold, folds, open, most, sizes } = await openLarge()
    expect(fold.entries.size).toBe(ENTRIES)
    const saved = await most(folds.checkpoint(), () => fold.taken)
    expect(saved).toBeGreaterThan(SAVE_SLICE_ENTRIES)
    expect(saved).toBeLessThanOrEqual(SLICE_ENTRIES_MAX)
    expect(await most(folds.restate(), () => fold.taken)).toBe(RESTATE_SLICE_DRAFTS)
    const again = new EntriesFold()
    const opening = open(again)
    const loaded = await most(opening, () => again.given)
    expect((await opening).from).toBe('checkpoint')
    expect(loaded).toBeLessThanOrEqual((2 * CHECKPOINT_BLOCK_BYTES) / ENTRY_BYTES)
    expect(again.entries).toEqual(fold.entries)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * CHECKPOINT_BLOCK_BYTES)
    expect(sizes.length).toBeGreaterThan(20)
  })

  it('is saved as of the call, though all of it changes before the first slice', async () => {
    const { drive, fold, folds, log, open } = await openLarge()
    const saving = folds.checkpoint()
    for (let n = 0; n < ENTRIES; n += 500) {
      const drafts = Array.from({ length: 500 }, (_, k) =>
        EntriesFold.draft(String(n + k).padStart(9, '0'), '+'),
      )
      await drive(appendSoon(log, drafts))
    }
    const at = await drive(saving)
    expect(at).toBeLessThan(log.watermark('memory'))
    const again = new EntriesFold()
    const { from, replayed } = await drive(open(again))
    expect([from, replayed]).toEqual(['checkpoint', ENTRIES])
    expect([...again.entries.values()].every((value) => value === '+')).toBe(true)
    expect(fold.entries.size).toBe(again.entries.size)
  })

  it('asked for twice while it is being saved, is saved once more', async () => {
    const { drive, fold, folds } = await openLarge()
    const before = fold.taken
    const saves = [folds.checkpoint(), folds.checkpoint(), folds.checkpoint()]
    await drive(Promise.all(saves))
    expect(fold.taken - before).toBe(2 * ENTRIES)
  })
})
