/**
 * The order flow as choreography: nobody conducts. Stock and payment each hear events and answer
 * with events; a process manager per order keeps the whole in sight and gives up after a while.
 */
import { defineEvents } from '@sagalog/event-store'
import { after, calledOff, emit, processManager } from '@sagalog/saga'
import * as t from 'io-ts'

export const Orders = defineEvents('flow-orders', {
  Placed: t.type({ cds: t.number, cents: t.number }),
  Confirmed: t.type({}),
  Rejected: t.type({ why: t.string }),
})
export const Stock = defineEvents('flow-stock', {
  Reserved: t.type({ order: t.string }),
  SoldOut: t.type({ order: t.string }),
  Released: t.type({ order: t.string }),
})
export const Payments = defineEvents('flow-payments', {
  Paid: t.type({ order: t.string, cents: t.number }),
  Declined: t.type({ order: t.string }),
})

const STOCK_MAX_CDS = 5
const CREDIT_CENTS = 10_000

/** Reserves what there is, and gives it back when the order is rejected. */
export const stock = processManager({
  name: 'flow-stock-keeper',
  listens: [Orders],
  state: t.type({ reserved: t.boolean }),
  initial: { reserved: false },
  correlate: (_event, stream) => stream,
  on: {
    Placed: (state, { cds }, order) =>
      cds > STOCK_MAX_CDS
        ? [state, [emit(Stock, order, Stock.make.SoldOut({ order }))]]
        : [{ reserved: true }, [emit(Stock, order, Stock.make.Reserved({ order }))]],
    Rejected: (state, _data, order) =>
      state.reserved
        ? [{ reserved: false }, [emit(Stock, order, Stock.make.Released({ order }))]]
        : [state, []],
  },
})

/** Pays for what is reserved. It must have heard the price before. */
export const payment = processManager({
  name: 'flow-cashier',
  listens: [Orders, Stock],
  state: t.type({ cents: t.number, isReserved: t.boolean }),
  initial: { cents: -1, isReserved: false },
  correlate: (event, stream) => ('order' in event.data ? event.data.order : stream),
  on: {
    Placed: (state, { cents }, order) => paid({ ...state, cents }, order),
    Reserved: (state, _data, order) => paid({ ...state, isReserved: true }, order),
  },
})

interface Bill {
  readonly cents: number
  readonly isReserved: boolean
}

/** Once both are known; the two events come in any order. */
function paid(state: Bill, order: string) {
  const { cents, isReserved } = state
  if (cents < 0 || !isReserved) return [state, []] as const
  const event =
    cents > CREDIT_CENTS ? Payments.make.Declined({ order }) : Payments.make.Paid({ order, cents })
  return [state, [emit(Payments, order, event)]] as const
}

/** Confirms or rejects, and does not wait for ever. */
export const clerk = processManager({
  name: 'flow-clerk',
  listens: [Orders, Stock, Payments],
  state: t.type({ end: t.string }),
  initial: { end: '' },
  correlate: (event, stream) => ('order' in event.data ? event.data.order : stream),
  on: {
    Placed: (state) => [state, [after(60_000, 'patience')]],
    Paid: (state, _data, order) =>
      ended(state, 'confirmed', [emit(Orders, order, Orders.make.Confirmed({}))]),
    SoldOut: (state, _data, order) => rejected(state, order, 'sold out'),
    Declined: (state, _data, order) => rejected(state, order, 'declined'),
  },
  onAlarm: (state, _alarm, order) => rejected(state, order, 'nobody answered'),
})

interface End {
  readonly end: string
}

function ended(state: End, end: string, effects: readonly ReturnType<typeof calledOff>[]) {
  if (state.end !== '') return [state, []] as const
  return [{ end }, [...effects, calledOff('patience')]] as const
}

function rejected(state: End, order: string, why: string) {
  return ended(state, 'rejected', [emit(Orders, order, Orders.make.Rejected({ why }))])
}
