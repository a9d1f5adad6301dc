/** The heap of due times against a sorted list. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DueHeap } from '../src/due-heap.js'

const step = fc.oneof(
  fc.record({ kind: fc.constant('push' as const), dueMs: fc.nat({ max: 50 }) }),
  fc.record({ kind: fc.constant('pop' as const), nowMs: fc.nat({ max: 60 }) }),
  fc.record({ kind: fc.constant('retain' as const), modulus: fc.integer({ min: 2, max: 4 }) }),
)

test('what is due first comes out first, and what is dropped never', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new DueHeap<number>()
      let model: number[] = []
      for (const next of steps) {
        if (next.kind === 'push') {
          heap.push(next.dueMs, next.dueMs)
          model.push(next.dueMs)
        } else if (next.kind === 'retain') {
          heap.retain((dueMs) => dueMs % next.modulus !== 0)
          model = model.filter((dueMs) => dueMs % next.modulus !== 0)
        } else {
          model.sort((left, right) => left - right)
          const [first] = model
          const isDue = first !== undefined && first <= next.nowMs
          expect(heap.pop(next.nowMs)).toBe(isDue ? first : undefined)
          if (isDue) model.shift()
        }
        expect(heap.size).toBe(model.length)
        expect(heap.nextDueMs).toBe(model.length === 0 ? undefined : Math.min(...model))
      }
    }),
  )
})
