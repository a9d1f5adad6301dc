/** What must not compile, kept from compiling: checked by the type checker, run for its values. */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { decider } from '../src/decider.js'
import { defineEvents, type EventsOf } from '../src/event-set.js'
import { given } from '../src/specification.js'

type Same<Left, Right> =
  (<T>() => T extends Left ? 1 : 2) extends <T>() => T extends Right ? 1 : 2 ? true : false
const holds = <Claim extends true>(claim?: Claim): void => expect(claim).toBeUndefined()

const Orders = defineEvents('order', {
  Placed: t.type({ orderId: t.string, cents: t.number }),
  Paid: {
    version: 2,
    codec: t.type({ ref: t.string }),
    upcast: { 1: (old) => (typeof old === 'string' ? E.right({ ref: old }) : E.left('no text')) },
  },
})
type OrderEvent = EventsOf<typeof Orders>
type State = { readonly status: 'none' } | { readonly status: 'placed'; readonly cents: number }

const stage = decider<OrderEvent, State>(Orders, { status: 'none' }).evolve({
  Placed: (_state, { cents }) => ({ status: 'placed', cents }),
  Paid: (state) => state,
})

const Order = stage.decide(
  { Place: t.type({ orderId: t.string, cents: t.number }), Pay: t.type({ ref: t.string }) },
  {
    Place: (data, state) =>
      state.status === 'none'
        ? E.right([Orders.make.Placed(data)])
        : E.left({ _tag: 'AlreadyPlaced' }),
    Pay: ({ ref }, state) => {
      if (state.status === 'none') return E.left({ _tag: 'NotPlaced' })
      if (ref === '') return E.left('NoReference')
      return E.right([{ type: 'Paid', data: { ref } }])
    },
  },
)

describe('types', () => {
  it('infers the union of events', () => {
    holds<
      Same<
        OrderEvent,
        | { readonly type: 'Placed'; readonly data: { orderId: string; cents: number } }
        | { readonly type: 'Paid'; readonly data: { ref: string } }
      >
    >()
    // @ts-expect-error a constructor wants the whole payload
    expect(Orders.make.Placed({ orderId: 'a' }).type).toBe('Placed')
    // @ts-expect-error there is no such event
    expect(Orders.make['Lost']).toBeUndefined()
  })

  it('infers commands and rejections', () => {
    type Commands = Parameters<typeof Order.decide>[0]
    type Rejections = E.Left<unknown> & ReturnType<typeof Order.decide>
    holds<
      Same<
        Commands,
        | { readonly type: 'Place'; readonly data: { orderId: string; cents: number } }
        | { readonly type: 'Pay'; readonly data: { ref: string } }
      >
    >()
    const reasons: Rejections['left'][] = [
      { _tag: 'AlreadyPlaced' },
      { _tag: 'NotPlaced' },
      'NoReference',
      // @ts-expect-error no command is rejected for this
      { _tag: 'SoldOut' },
    ]
    expect(reasons).toHaveLength(4)
  })

  it('wants every event evolved and every command decided', () => {
    // @ts-expect-error Paid is missing
    expect(decider(Orders, 0).evolve({ Placed: (state) => state })).toBeDefined()
    const codecs = { Place: t.string, Pay: t.string }
    // @ts-expect-error Pay is missing
    expect(stage.decide(codecs, { Place: () => E.right([]) })).toBeDefined()
    const strange = stage.decide(
      { Place: t.string },
      // @ts-expect-error an event of another set does not follow
      { Place: () => E.right([{ type: 'Lost', data: {} }]) },
    )
    expect(strange).toBeDefined()
  })

  it('knows in a specification what can be given and expected', () => {
    const placed = Orders.make.Placed({ orderId: 'a', cents: 1 })
    const pay = { type: 'Pay', data: { ref: '' } } as const
    given(Order, placed).when(pay).rejectedWith('NoReference')
    // @ts-expect-error no command is rejected for this
    expect(() => given(Order, placed).when(pay).rejectedWith({ _tag: 'SoldOut' })).toThrow()
    // @ts-expect-error there is no such command
    expect(() => given(Order).when({ type: 'Ship', data: {} })).toThrow()
  })
})
