/** An order: its events, and what commands make of it. Pure. */
import { decider, defineEvents } from '@sagalog/event-store'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'

export const Orders = defineEvents('order', {
  Placed: t.type({ customer: t.string, cents: t.number }),
  Paid: t.type({ reference: t.string }),
  Cancelled: t.type({ reason: t.string }),
})
const { Cancelled, Paid, Placed } = Orders.make

export interface OrderState {
  readonly status: 'none' | 'placed' | 'paid' | 'cancelled'
}

const initial: OrderState = { status: 'none' }
const Cents = t.refinement(t.number, (value) => Number.isSafeInteger(value) && value > 0, 'Cents')

export const Order = decider(Orders, initial)
  .evolve({
    Placed: () => ({ status: 'placed' }),
    Paid: () => ({ status: 'paid' }),
    Cancelled: () => ({ status: 'cancelled' }),
  })
  .decide(
    {
      Place: t.type({ customer: t.string, cents: Cents }),
      Pay: t.type({ reference: t.string }),
      Cancel: t.type({ reason: t.string }),
    },
    {
      Place: (data, { status }) =>
        status === 'none' ? E.right([Placed(data)]) : E.left({ _tag: 'AlreadyPlaced' }),
      Pay: (data, { status }) =>
        status === 'placed' ? E.right([Paid(data)]) : E.left({ _tag: 'NotPayable', status }),
      Cancel: (data, { status }) =>
        status === 'placed' ? E.right([Cancelled(data)]) : E.left({ _tag: 'TooLate', status }),
    },
  )
