/** A saved map gives the entries of the moment its save began, whatever changes between slices. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SavedMap } from '../src/index.js'
import { runs } from './world.js'

/** A value that changes in place, as the settled offsets of a place do. */
interface Counter {
  count: number
}

const key = fc.integer({ min: 0, max: 7 })
const step = fc.oneof(
  fc.record({ do: fc.constantFrom('set', 'delete', 'add'), key }),
  fc.record({ do: fc.constantFrom('slice', 'begin', 'end', 'clear'), key: fc.constant(0) }),
)

const contents = (map: Map<number, Counter>): Record<string, number> =>
  Object.fromEntries([...map].map(([name, { count }]) => [name, count]))

const reached: Record<string, number> = {}

function runSteps(sliceEntries: number, steps: readonly { do: string; key: number }[]): void {
  const map = new SavedMap<number, Counter, [number, number]>(
    ({ count }, name) => [name, count],
    sliceEntries,
  )
  let save: Iterator<readonly [number, number][]> | undefined
  let expected: Record<string, number> = {}
  let given = new Map<number, number>()
  let serial = 0

  function begin(): void {
    save?.return?.()
    save = map.save()
    expected = contents(map)
    given = new Map()
  }
  /** False once the save has given everything; then it must have been right. */
  function takeSlice(): boolean {
    const slice = save?.next()
    if (slice === undefined) return false
    if (slice.done === true) {
      expect(Object.fromEntries(given)).toEqual(expected)
      reached['whole'] = (reached['whole'] ?? 0) + 1
      save = undefined
      return false
    }
    expect(slice.value.length).toBeLessThanOrEqual(sliceEntries)
    for (const [name, count] of slice.value) given.set(name, count)
    return true
  }
  for (const one of steps) {
    serial += 1
    if (one.do === 'begin') begin()
    else if (one.do === 'end') {
      if (save !== undefined) reached['ended early'] = (reached['ended early'] ?? 0) + 1
      save?.return?.()
      save = undefined
    } else if (one.do === 'slice') takeSlice()
    else {
      if (save !== undefined) reached[one.do] = (reached[one.do] ?? 0) + 1
      change(one)
    }
  }
  while (takeSlice());
  begin()
  while (takeSlice());

  function change({ do: what, key: name }: { do: string; key: number }): void {
    const value = map.get(name)
    if (what === 'set') map.set(name, { count: serial })
    else if (what === 'delete') map.delete(name)
    else if (what === 'clear') map.clear()
    else if (value !== undefined) {
      map.changing(name)
      value.count += 1
    }
  }
}

describe('a saved map', () => {
  it('gives the moment of the save, for every interleaving of changes and slices', () => {
    const steps = fc.array(step, { maxLength: 60 })
    fc.assert(fc.property(fc.integer({ min: 1, max: 3 }), steps, runSteps), runs(1500, 50_000))
    for (const what of ['whole', 'ended early', 'set', 'delete', 'add', 'clear'])
      expect(reached[what] ?? 0, what).toBeGreaterThan(20)
  })

  it('ends, and restating ends, while entries come as fast as they are taken', () => {
    const map = new SavedMap<number, number, number>((value) => value, 1)
    for (let n = 0; n < 100; n += 1) map.set(n, n)
    let next = 100
    let slices = 0
    for (const slice of map.save()) {
      slices += 1
      expect(slice.every((value) => value < 100)).toBe(true)
      map.set(next, next)
      next += 1
    }
    expect(slices).toBeLessThan(110)
    const live: number[] = []
    for (const value of map.live()) {
      live.push(value)
      map.delete(value)
      map.set(value, value)
    }
    expect(new Set(live).size).toBe(next)
    expect(live).toHaveLength(next)
  })

  it('refuses a second save at a time, and takes one after the first was given up', () => {
    const map = new SavedMap<number, number, number>((value) => value)
    const first = map.save()
    expect(() => map.save()).toThrow('one save of a map at a time')
    first.return()
    expect([...map.save()].flat()).toEqual([])
  })
})
