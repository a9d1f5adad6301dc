/** Gates: never more inside than there is room for, never faster than allowed, nobody forgotten. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { acquire, counted, evolveGate, gateInitial, release, tick } from '../src/gate.js'
import type { Asking } from '../src/gate-messages.js'

const asking = (
  step: string,
  { slots, perSecond }: { slots?: number | undefined; perSecond?: number | undefined },
): Asking => ({
  slots,
  perSecond,
  replyTo: 'inbox',
  shardingKey: 'k',
  sagaId: step,
  step,
  attempt: 1,
})

const move = fc.record({
  kind: fc.constantFrom('acquire', 'release', 'tick'),
  who: fc.integer({ min: 0, max: 6 }),
  afterMs: fc.integer({ min: 0, max: 700 }),
})
const bounds = fc.record({
  slots: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  perSecond: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
})

describe('a gate', () => {
  it('keeps its bounds, and whoever waits does so for a reason', () => {
    const reached = { waited: 0, slowed: 0, granted: 0 }
    fc.assert(
      fc.property(bounds, fc.array(move, { maxLength: 60 }), (limits, moves) => {
        let state = gateInitial
        let nowMs = 1_000
        const begun: number[] = []
        for (const { kind, who, afterMs } of moves) {
          nowMs += afterMs
          const holder = `h${who}`
          const asked = { holder, asking: asking(holder, limits) }
          const decision =
            kind === 'acquire'
              ? acquire(state, asked, nowMs)
              : kind === 'release'
                ? release(state, holder, nowMs)
                : tick(state, nowMs)
          for (const event of decision.events) {
            if (event.type !== 'LetIn') continue
            begun.push(nowMs)
            reached.granted += 1
          }
          state = decision.events.reduce(evolveGate, state)
          expect(state.holders.size).toBeLessThanOrEqual(limits.slots ?? Number.MAX_SAFE_INTEGER)
          const recent = begun.filter((ms) => ms > nowMs - 1_000).length
          expect(recent).toBeLessThanOrEqual(limits.perSecond ?? Number.MAX_SAFE_INTEGER)
          const hasRoom = limits.slots === undefined || state.holders.size < limits.slots
          if (state.waiting.length > 0) reached.waited += 1
          if (decision.waitMs !== undefined) reached.slowed += 1
          // Whoever waits does so for a reason, and time alone is promised to be looked at again.
          if (
            state.waiting.length > 0 &&
            hasRoom &&
            (decision.events.length > 0 || kind === 'tick')
          )
            expect(decision.waitMs).toBeGreaterThan(0)
          expect(evolveGate(gateInitial, counted(state))).toEqual(state)
        }
      }),
      { numRuns: 500 },
    )
    for (const [what, count] of Object.entries(reached))
      expect(count, `reached: ${what}`).toBeGreaterThan(10)
  })

  it('tells one who is in already once more, and gives a later attempt the place', () => {
    const first = acquire(gateInitial, { holder: 'a', asking: asking('a', { slots: 1 }) }, 0)
    const state = first.events.reduce(evolveGate, gateInitial)
    const again = acquire(state, { holder: 'a', asking: asking('a', { slots: 1 }) }, 1)
    expect([again.events, again.granted.length]).toEqual([[], 1])
    const later = { ...asking('a', { slots: 1 }), attempt: 2 }
    const next = acquire(state, { holder: 'a', asking: later }, 2)
    expect(next.granted).toEqual([later])
    expect(next.events.reduce(evolveGate, state).holders.size).toBe(1)
  })
})
