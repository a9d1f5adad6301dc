/** What is shown: a row for each order, and one for each customer. */
import { projection } from '@sagalog/event-store'
import * as O from 'fp-ts/lib/Option.js'
import * as t from 'io-ts'
import { Orders } from './order.js'

export const orderList = projection({
  name: 'order-list',
  version: 1,
  from: [Orders],
  row: t.type({ customer: t.string, cents: t.number, status: t.string }),
  on: {
    Placed: (_, { cents, customer }) => O.some({ customer, cents, status: 'placed' }),
    Paid: O.map((row) => ({ ...row, status: 'paid' })),
    Cancelled: () => O.none,
  },
})

const Counted = t.type({ placed: t.number, cents: t.number })
const none: t.TypeOf<typeof Counted> = { placed: 0, cents: 0 }

/** The customer stands in the first event of an order only, so it goes along as metadata. */
export const customers = projection({
  name: 'customers',
  version: 1,
  from: [Orders],
  row: Counted,
  key: ({ metadata }) => String(metadata['customer'] ?? 'unknown'),
  on: {
    Placed: (row, { cents }) => {
      const before = O.getOrElse(() => none)(row)
      return O.some({ placed: before.placed + 1, cents: before.cents + cents })
    },
    Paid: (row) => row,
    Cancelled: (row) => row,
  },
})
