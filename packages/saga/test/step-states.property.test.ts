/** A saga's steps in parts that versions share: as if a record were copied each time. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { StepState } from '../src/evolve.js'
import { noSteps, type StepStates, stepStatesOf } from '../src/step-states.js'

const state = (attempt: number): StepState => ({ status: 'queued', attempt })

/** Which version is gone on from, which step moves, and to what. */
const moves = fc.array(
  fc.record({ from: fc.nat({ max: 400 }), name: fc.nat({ max: 90 }), attempt: fc.nat() }),
  { maxLength: 400 },
)

it('every version keeps what it was told, whatever others were made of it', () => {
  const property = fc.property(moves, fc.boolean(), (all, branches) => {
    const versions: { states: StepStates; model: ReadonlyMap<string, StepState> }[] = [
      { states: noSteps, model: new Map() },
    ]
    for (const { from, name, attempt } of all) {
      // Half of the runs go on from the newest only, as a saga does.
      const index = branches ? from % versions.length : versions.length - 1
      const { states, model } = versions[index] ?? { states: noSteps, model: new Map() }
      const key = `step#${name}`
      versions.push({
        states: states.with(key, state(attempt)),
        model: new Map([...model]).set(key, state(attempt)),
      })
    }
    for (const { states, model } of versions) {
      expect(states.entries()).toEqual([...model])
      expect(states.names()).toEqual([...model.keys()])
      expect(states.size).toBe(model.size)
      for (const name of ['step#0', 'step#7', 'step#90', 'absent'])
        expect(states.get(name)).toEqual(model.get(name))
    }
    const last = versions.at(-1)
    expect(stepStatesOf(last?.model ?? [])).toEqual(stepStatesOf(last?.states.entries() ?? []))
    expect(JSON.stringify(last?.states)).toBe(JSON.stringify(Object.fromEntries(last?.model ?? [])))
  })
  fc.assert(property, { numRuns: 60 })
})
