/**
 * Lanes: whatever order starts arrive in, and however often, sagas run one after another by place.
 */
import { arrive, evolveLane, laneInitial, leave, type LaneState, type Waiting } from '@sagalog/saga'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

const saga = (place: number): Waiting => ({ sagaId: `s${place}`, place, input: place })

describe('a lane', () => {
  it('starts places in order, each once, each after the end of the one before', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.infiniteStream(fc.nat({ max: 1_000 })),
        (count, draws) => {
          const draw = (below: number): number => (draws.next().value ?? 0) % below
          // Each start comes once or twice.
          const pool = Array.from({ length: count }, (_, index) => index + 1)
          pool.push(...pool.filter(() => draw(3) === 0))
          const started: string[] = []
          const known = new Set<string>()
          let lane: LaneState = laneInitial
          let running: string | undefined
          while (pool.length > 0 || running !== undefined) {
            if (running !== undefined && (pool.length === 0 || draw(2) === 0)) {
              const { next, events } = leave(lane, running)
              lane = events.reduce(evolveLane, lane)
              running = next?.sagaId
              if (next !== undefined) started.push(next.sagaId)
              continue
            }
            const [place] = pool.splice(draw(pool.length), 1)
            const comer = saga(place ?? 0)
            // The runtime looks at the saga's own stream first.
            if (started.includes(comer.sagaId)) continue
            const { arrival, events } = arrive(lane, comer)
            lane = events.reduce(evolveLane, lane)
            expect(arrival === 'known').toBe(known.has(comer.sagaId))
            known.add(comer.sagaId)
            if (arrival !== 'starts') continue
            expect(running).toBeUndefined()
            running = comer.sagaId
            started.push(running)
          }
          expect(started).toEqual(Array.from({ length: count }, (_, index) => `s${index + 1}`))
          expect(lane.active).toBeUndefined()
          expect(lane.waiting.size).toBe(0)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('does not give a place twice', () => {
    const first = arrive(laneInitial, saga(1)).events.reduce(evolveLane, laneInitial)
    expect(arrive(first, { ...saga(1), sagaId: 'other' }).arrival).toBe('taken')
    const queued = arrive(first, saga(2)).events.reduce(evolveLane, first)
    expect(arrive(queued, { ...saga(2), sagaId: 'other' }).arrival).toBe('taken')
    expect(leave(queued, 'other')).toEqual({ next: undefined, events: [] })
  })
})
