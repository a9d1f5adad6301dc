/** The event store alone: a decider, its stream on the disk, and nothing to install beside it. */
import { createRepository, decider, defineEvents } from '@sagalog/event-store'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { Sagalog } from 'sagalog'

const Cents = t.type({ cents: t.number })
const Accounts = defineEvents('account', { Deposited: Cents, Withdrawn: Cents })
const { Deposited, Withdrawn } = Accounts.make

const Account = decider(Accounts, 0)
  .evolve({
    Deposited: (balance, { cents }) => balance + cents,
    Withdrawn: (balance, { cents }) => balance - cents,
  })
  .decide(
    { Deposit: Cents, Withdraw: Cents },
    {
      Deposit: (data) => E.right([Deposited(data)]),
      Withdraw: (data, balance) =>
        data.cents > balance ? E.left('TooLittle') : E.right([Withdrawn(data)]),
    },
  )

const app = await Sagalog.open({ dir: './data' })
await app.events.ensureCategory(Accounts, { queues: 4 })
const accounts = createRepository(app.events, Account)
await accounts.handle('ada', { type: 'Deposit', data: { cents: 500 } })
const refused = await accounts.handle('ada', { type: 'Withdraw', data: { cents: 1_000_000 } })
console.log('withdrawing a million:', E.isLeft(refused) ? refused.left : 'fine')
console.log('ada has', await accounts.load('ada'))
await app.close()
