/** The cache against a list that does the same slowly; and gates that never block for good. */
import { streamVersion } from '@sagalog/kernel'
import { settle } from '@sagalog/kernel/testing'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { stateCache, type VersionedState } from '../src/state-cache.js'
import { streamGates } from '../src/stream-gates.js'

const streams = fc.constantFrom('a', 'b', 'c', 'd', 'e')

describe('a cache of states', () => {
  it('keeps the ones used last, and never an older version', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ do: fc.constant('get' as const), stream: streams }),
        fc.record({ do: fc.constant('drop' as const), stream: streams }),
        fc.record({ do: fc.constant('put' as const), stream: streams, version: fc.nat(5) }),
      ),
      { maxLength: 60 },
    )
    fc.assert(
      fc.property(fc.nat(4), steps, (entriesMax, script) => {
        const cache = stateCache<string>(entriesMax)
        let model: { stream: string; entry: VersionedState<string> }[] = []
        const find = (stream: string) => model.find((kept) => kept.stream === stream)
        const without = (stream: string) => model.filter((kept) => kept.stream !== stream)
        for (const step of script) {
          const kept = find(step.stream)
          if (step.do === 'drop') {
            cache.drop(step.stream)
            model = without(step.stream)
          } else if (step.do === 'get') {
            expect(cache.get(step.stream)).toEqual(kept?.entry)
            if (kept !== undefined) model = [...without(step.stream), kept]
          } else {
            const version = streamVersion(step.version)
            const entry = { state: `${step.stream}${version}`, version }
            cache.put(step.stream, entry)
            if (kept !== undefined && kept.entry.version > version) continue
            model = [...without(step.stream), { stream: step.stream, entry }].slice(-entriesMax)
            if (entriesMax === 0) model = []
          }
          expect(cache.entries).toBe(model.length)
        }
      }),
    )
  })
})

describe('gates', () => {
  it('let everybody through in the end, whatever the order of streams', async () => {
    const orders = fc.array(fc.uniqueArray(streams, { minLength: 1, maxLength: 4 }), {
      minLength: 2,
      maxLength: 6,
    })
    let [alone, beside] = [0, 0]
    await fc.assert(
      fc.asyncProperty(orders, async (changes) => {
        const gates = streamGates()
        const inside = new Map<string, number>()
        const finished = changes.map(async (names) => {
          const owner = {}
          const entered: string[] = []
          for (const name of names) {
            const way = await gates.enter(name, owner)
            if (way === 'entered') {
              entered.push(name)
              inside.set(name, (inside.get(name) ?? 0) + 1)
              expect(inside.get(name)).toBe(1)
              alone += 1
            } else beside += 1
            await settle()
          }
          for (const name of entered) {
            inside.set(name, 0)
            gates.leave(name, owner)
          }
        })
        await Promise.all(finished)
      }),
      { numRuns: 60 },
    )
    // Both ways were taken, or the property says nothing.
    expect(alone).toBeGreaterThan(0)
    expect(beside).toBeGreaterThan(0)
  })

  it('know an owner that comes again', async () => {
    const gates = streamGates()
    const owner = {}
    expect(await gates.enter('a', owner)).toBe('entered')
    expect(await gates.enter('a', owner)).toBe('inside')
    expect(() => gates.leave('a', {})).toThrow('left by the one who entered it')
  })
})
