/** A small decider that the tests of this package share. */
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { decider } from '../src/decider.js'
import { defineEvents } from '../src/event-set.js'

export const Accounts = defineEvents('account', {
  Opened: t.type({ owner: t.string }),
  Deposited: t.type({ cents: t.number }),
  Withdrawn: t.type({ cents: t.number }),
})

export interface Account {
  readonly owner: string | undefined
  readonly cents: number
}

const none: Account = { owner: undefined, cents: 0 }
const Cents = t.type({ cents: t.number })
const { Opened, Deposited, Withdrawn } = Accounts.make

export const AccountState = decider(Accounts, none).evolve({
  Opened: (state, { owner }) => ({ ...state, owner }),
  Deposited: (state, { cents }) => ({ ...state, cents: state.cents + cents }),
  Withdrawn: (state, { cents }) => ({ ...state, cents: state.cents - cents }),
})

export const Account = AccountState.decide(
  { Open: t.type({ owner: t.string }), Deposit: Cents, Withdraw: Cents },
  {
    Open: (data, state) =>
      state.owner === undefined ? E.right([Opened(data)]) : E.left({ _tag: 'AlreadyOpen' }),
    Deposit: (data, state) => {
      if (state.owner === undefined) return E.left({ _tag: 'NotOpen' })
      return E.right(data.cents === 0 ? [] : [Deposited(data)])
    },
    Withdraw: ({ cents }, state) =>
      state.cents < cents
        ? E.left({ _tag: 'TooLittle', missing: cents - state.cents })
        : E.right([Withdrawn({ cents })]),
  },
)

export const open = { type: 'Open', data: { owner: 'ann' } } as const
export const deposit = (cents: number) => ({ type: 'Deposit', data: { cents } }) as const
export const withdraw = (cents: number) => ({ type: 'Withdraw', data: { cents } }) as const
