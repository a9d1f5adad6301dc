/** A list of positions gives back what was put in, however long it is, and pages that join up. */
import { position } from '@sagalog/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countBelow, PositionList } from '../src/folds/position-list.js'

const lengths = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 4_090, max: 8_200 }))

test('entries, pages and counts are those of an array', () => {
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 1_000_000 }), fc.nat(), (length, step, pick) => {
      const list = new PositionList()
      const wanted = Array.from({ length }, (_, index) => index * step + 7)
      for (const value of wanted) list.push(position(value))
      expect(list.length).toBe(length)
      expect(wanted.map((_, index) => list.at(index))).toEqual(wanted)
      const limit = pick % (length * step + 20)
      expect(countBelow(list, limit)).toBe(wanted.filter((value) => value < limit).length)
      const copy = new PositionList()
      const saved = Buffer.alloc(3 + 8 * length)
      for (const [index, value] of wanted.entries()) saved.writeDoubleLE(value, 3 + 8 * index)
      copy.pushSaved(saved, 3, saved.length)
      expect(copy.length).toBe(length)
      if (length > 0) expect(copy.at(length - 1)).toBe(wanted.at(-1))
    }),
    { numRuns: 60 },
  )
})

test('entries that were let go leave the others where they are, saved or grown on', () => {
  fc.assert(
    fc.property(lengths, fc.nat(), fc.nat({ max: 5_000 }), (length, cut, more) => {
      const list = new PositionList()
      for (let index = 0; index < length; index += 1) list.push(position(index * 3))
      const start = length === 0 ? cut % 9_000 : cut % (length + 5)
      list.startAt(start)
      list.trim()
      expect(list.start).toBe(start)
      expect(list.length).toBe(Math.max(start, length))
      const wanted = Array.from({ length: list.length - start }, (_, index) => (start + index) * 3)
      const next = list.length
      for (let index = 0; index < more; index += 1) {
        list.push(position((next + index) * 3))
        wanted.push((next + index) * 3)
      }
      const kept = wanted.map((_, index) => list.at(start + index))
      expect(kept).toEqual(wanted)
      for (const limit of [0, start * 3, start * 3 + 4, list.length * 3])
        expect(countBelow(list, limit)).toBe(start + wanted.filter((at) => at < limit).length)
    }),
    { numRuns: 60 },
  )
})

test('entries behind a gap have their place, however long the list and the gap are', () => {
  const some = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 5_000 }))
  const rounds = fc.array(fc.record({ more: some, gap: some }), { minLength: 2, maxLength: 6 })
  fc.assert(
    fc.property(rounds, (drawn) => {
      const list = new PositionList()
      for (const { gap, more } of drawn) {
        const start = list.length + gap
        list.startAt(start)
        for (let index = start; index < start + more; index += 1) list.push(position(index * 3))
        const kept = Array.from({ length: more }, (_, index) => list.at(start + index))
        expect(kept).toEqual(kept.map((_, index) => (start + index) * 3))
        expect(countBelow(list, list.length * 3)).toBe(list.length)
      }
    }),
    { numRuns: 100 },
  )
})
