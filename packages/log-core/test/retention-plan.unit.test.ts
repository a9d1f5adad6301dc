/** What may go, decided from facts alone. */
import { position } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import { NeedsTable, planRetention, type PlanInput, type SegmentFacts } from '../src/index.js'

const SIZE = 100

const closed = (count: number, changes: Partial<SegmentFacts> = {}): readonly SegmentFacts[] =>
  Array.from({ length: count }, (_, n) => ({
    base: position(n * SIZE),
    end: position((n + 1) * SIZE),
    bytes: SIZE,
    closedMs: n * 1000,
    isSealed: true,
    ...changes,
  }))

const plan = (changes: Partial<PlanInput>) =>
  planRetention({
    segments: closed(6),
    openBytes: SIZE,
    freeBelow: position(10_000),
    needs: [],
    nowMs: 6000,
    policy: {},
    ...changes,
  })

const bases = (looks: readonly { readonly base: number }[]): readonly number[] =>
  looks.map(({ base }) => base)

function rows(needs: Parameters<NeedsTable['set']>[1]) {
  const table = new NeedsTable()
  table.set('one', needs)
  return table.rows()
}

describe('a plan', () => {
  it('lets everything go that nobody needs, but not above the restatement', () => {
    expect(plan({})).toEqual({ start: 600, look: [], overruled: [] })
    expect(plan({ freeBelow: position(399) }).start).toBe(300)
    expect(plan({ freeBelow: position(0) }).start).toBe(0)
    expect(plan({ segments: [] })).toEqual({ start: 0, look: [], overruled: [] })
  })

  it('keeps all that a reader has still to read, whatever it is', () => {
    const needs = rows({ everythingFrom: () => position(250) })
    expect(plan({ needs })).toEqual({ start: 200, look: [], overruled: [] })
  })

  it('looks into segments in which single bodies are needed, and behind them', () => {
    const needs = rows({ needsBody: () => true, bodiesFrom: () => position(250) })
    const { start, look } = plan({ needs })
    expect(start).toBe(200)
    expect(bases(look)).toEqual([200, 300, 400, 500])
    // One that can not say from where on may need any.
    expect(bases(plan({ needs: rows({ needsBody: () => false }) }).look)).toHaveLength(6)
    // One that needs none now holds nothing.
    const none = rows({ needsBody: () => true, bodiesFrom: () => undefined })
    expect(plan({ needs: none }).start).toBe(600)
  })

  it('rewrites only what is sealed, and lets go what is not', () => {
    const segments = closed(3, { isSealed: false })
    expect(plan({ segments }).start).toBe(300)
    const needs = rows({ needsBody: () => true, bodiesFrom: () => position(0) })
    expect(plan({ segments, needs }).look).toEqual([])
  })

  it('keeps by age and by bytes what nobody needs', () => {
    expect(plan({ policy: { keepMs: 4000 } }).start).toBe(300)
    const segments = closed(6).map((facts) => ({ ...facts, closedMs: undefined }))
    expect(plan({ segments, policy: { keepMs: 4000 } }).start).toBe(0)
    // 100 are open; so two closed ones make 300.
    expect(plan({ policy: { keepBytes: 300 } }).start).toBe(400)
    expect(plan({ policy: { keepBytes: 10_000 } }).start).toBe(0)
  })

  it('over the cap overrules those who agreed to it, and names them', () => {
    const policy = { capBytes: 300, keepMs: 1e9 }
    const agreed = rows({ everythingFrom: () => position(150), mayBeOverruled: true })
    expect(plan({ policy, needs: agreed })).toEqual({ start: 400, look: [], overruled: ['one'] })
    const hard = rows({ everythingFrom: () => position(150) })
    expect(plan({ policy, needs: hard })).toEqual({ start: 100, look: [], overruled: [] })
    // Facts are never given up.
    expect(plan({ policy, needs: agreed, freeBelow: position(250) }).start).toBe(200)
    expect(plan({ policy: { capBytes: 1e9 }, needs: agreed }).overruled).toEqual([])
  })
})

describe('the table of needs', () => {
  it('asks anew each time, and forgets what was removed', () => {
    const table = new NeedsTable()
    let at = position(10)
    const remove = table.set('reader', { everythingFrom: () => at })
    expect(table.rows()[0]?.everythingFrom).toBe(10)
    at = position(20)
    expect(table.rows()[0]?.everythingFrom).toBe(20)
    expect(() => table.set('reader', {})).toThrow(/only one need/)
    remove()
    expect(table.rows()).toEqual([])
    remove()
  })
})
