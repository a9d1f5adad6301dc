/** Projections of accounts that the tests of this package share. */
import * as O from 'fp-ts/lib/Option.js'
import * as t from 'io-ts'
import { projection } from '../src/projection.js'
import { Accounts } from './accounts.js'

const Balance = t.type({ owner: t.string, cents: t.number, changes: t.number })

const changed = (row: O.Option<t.TypeOf<typeof Balance>>, cents: number) => {
  const {
    cents: before,
    changes,
    owner,
  } = O.isSome(row) ? row.value : { owner: '', cents: 0, changes: 0 }
  return O.some({ owner, cents: before + cents, changes: changes + 1 })
}

/** A row per account. A deposit of 13 cents is poison. */
export const balances = (version = 1, { fee = 0 } = {}) =>
  projection({
    name: 'balances',
    version,
    from: [Accounts],
    row: Balance,
    on: {
      Opened: (row, { owner }) =>
        O.some({ owner, cents: O.isSome(row) ? row.value.cents : 0, changes: 1 }),
      Deposited: (row, { cents }) => {
        if (cents === 13) throw new Error('thirteen')
        return changed(row, cents - fee)
      },
      Withdrawn: (row, { cents }) => (cents === 666 ? O.none : changed(row, -cents)),
    },
  })

/** One row for all accounts together. */
export const total = projection({
  name: 'total',
  version: 1,
  from: [Accounts],
  row: t.type({ cents: t.number }),
  key: () => 'all',
  on: {
    Opened: (row) => row,
    Deposited: (row, { cents }) => O.some({ cents: (O.isSome(row) ? row.value.cents : 0) + cents }),
    Withdrawn: (row, { cents }) => O.some({ cents: (O.isSome(row) ? row.value.cents : 0) - cents }),
  },
})
