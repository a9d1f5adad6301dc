/** Single decisions that a saga's author relies on. */
import {
  decide,
  evolve,
  type SagaDefinition,
  type SagaEvent,
  sagaInitial,
  type SagaInput,
  type SagaState,
} from '@sagalog/saga'
import { describe, expect, it } from 'vitest'
import { anOrder, placeOrder } from './orders.js'
import { definitionOf } from './shapes.js'

const sagaId = 'o1'
const start: SagaInput = {
  kind: 'start',
  sagaId,
  input: anOrder(1),
  lane: undefined,
  parent: undefined,
}
const reserved: SagaInput = { kind: 'done', sagaId, step: 'stock', result: { left: 3 } }
const late: SagaInput = {
  kind: 'timeout',
  sagaId,
  step: 'payment',
  attempt: 1,
  action: undefined,
}

function after(
  definition: SagaDefinition,
  ...inputs: readonly SagaInput[]
): { state: SagaState; last: readonly SagaEvent[]; effects: readonly string[] } {
  let state = sagaInitial
  let last: readonly SagaEvent[] = []
  let effects: readonly string[] = []
  for (const input of inputs) {
    const decision = decide(definition, state, input, 7)
    last = decision.events
    effects = decision.effects.map((effect) =>
      'step' in effect ? `${effect.kind} ${effect.name}` : effect.kind,
    )
    state = last.reduce(evolve, state)
  }
  return { state, last, effects }
}

const types = (events: readonly SagaEvent[]): readonly string[] => events.map(({ type }) => type)

describe('decide', () => {
  it('registers a step before its command goes out', () => {
    const { last, effects } = after(placeOrder, start)
    expect(types(last)).toEqual(['Started', 'StepStarted'])
    expect(effects).toEqual(['command stock'])
  })

  it('waits for a reply no longer than the step says', () => {
    expect(after(placeOrder, start, reserved).effects).toEqual(['command payment', 'timer payment'])
    const done: SagaInput = { kind: 'done', sagaId, step: 'payment', result: { receipt: 'r' } }
    expect(after(placeOrder, start, reserved, done).effects).toEqual([
      'cancel-timer payment',
      'act confirm',
    ])
  })

  it('undoes a step that is in doubt, without a result, and then the ones before it', () => {
    const doubt = after(placeOrder, start, reserved, late)
    expect(types(doubt.last)).toEqual(['StepTimedOut', 'UndoStarted'])
    expect(doubt.state.steps.get('payment')).toMatchObject({
      status: 'undoing',
      done: { _tag: 'None' },
    })
    const undone: SagaInput = { kind: 'undone', sagaId, step: 'payment' }
    const next = after(placeOrder, start, reserved, late, undone)
    expect(types(next.last)).toEqual(['UndoDone', 'UndoStarted'])
    expect(next.state.steps.get('stock')).toMatchObject({ done: { value: { left: 3 } } })
  })

  it('ignores a reply that comes after the timeout', () => {
    const done: SagaInput = { kind: 'done', sagaId, step: 'payment', result: { receipt: 'r' } }
    expect(after(placeOrder, start, reserved, late, done).last).toEqual([])
  })

  it('says why a saga was compensated', () => {
    const refusal = { tag: 'out-of-stock' }
    const { last, state } = after(placeOrder, start, {
      kind: 'refused',
      sagaId,
      step: 'stock',
      refusal,
    })
    expect(types(last)).toEqual(['StepRefused', 'Compensated'])
    expect(state.reason).toEqual({ kind: 'refused', step: 'stock', refusal })
  })

  it('parks a saga whose reply does not fit, and keeps the reply', () => {
    const odd: SagaInput = { kind: 'done', sagaId, step: 'stock', result: { left: 'many' } }
    const { last } = after(placeOrder, start, odd)
    expect(last).toMatchObject([{ type: 'Parked', data: { message: odd } }])
    expect(after(placeOrder, start, odd, reserved).last).toMatchObject([
      { type: 'Parked', data: { message: reserved } },
    ])
  })

  it('parks a saga of another definition', () => {
    const { state } = after(placeOrder, start)
    const pivot = { kind: 'local' as const, hasTimer: false }
    const other = definitionOf({ steps: [], pivot, thens: [] })
    const { events } = decide({ ...placeOrder, version: 2, fingerprint: 'new' }, state, reserved, 7)
    expect(events).toMatchObject([{ type: 'Parked', data: { message: reserved } }])
    const [parked] = events
    expect(parked?.type === 'Parked' && parked.data.reason).toContain('place-order version 1')
    expect(other.fingerprint).not.toBe(placeOrder.fingerprint)
  })

  it('asks again, with a bound, for what cannot be undone', () => {
    const step = { kind: 'remote' as const, hasTimer: true }
    const definition = definitionOf({ steps: [], pivot: step, thens: [] })
    const timeout = (attempt: number): SagaInput => ({
      kind: 'timeout',
      sagaId,
      step: 'pivot',
      attempt,
      action: undefined,
    })
    const once = after(definition, start, timeout(1))
    expect(types(once.last)).toEqual(['StepResent'])
    expect(once.effects).toEqual(['command pivot', 'timer pivot'])
    expect(after(definition, start, timeout(1), timeout(1)).last).toEqual([])
    const spent = after(definition, start, timeout(1), timeout(2), timeout(3))
    expect(types(spent.last)).toEqual(['Parked'])
  })
})
