/**
 * The saga: reserve, charge, confirm. Two steps are commands to other processes and their replies;
 * what the services do inside, this process does not know.
 */
import { remote, remoteForward, saga } from '@sagalog/saga'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { PaymentCommands, Receipt, Refusal, Reserved, StockCommands } from './commands.js'

export const OrderInput = t.type(
  { order: t.string, item: t.string, count: t.number, cents: t.number },
  'OrderInput',
)

const DAY_MS = 24 * 60 * 60 * 1_000

export const threeOrders = saga('three-orders', 1, OrderInput)
  .step(
    'stock',
    remote({
      to: StockCommands,
      out: Reserved,
      refusal: Refusal,
      run: ({ input: { order, item, count } }) => ({ order, item, count }),
      undo: ({ input: { order, item, count } }) => ({ order, item, count }),
      // A service that is down is waited for: its commands are in the log.
      timeoutMs: () => DAY_MS,
    }),
  )
  .pivot(
    'payment',
    remoteForward({
      to: PaymentCommands,
      out: Receipt,
      refusal: Refusal,
      run: ({ input: { order, cents } }) => ({ order, cents }),
      timeoutMs: () => DAY_MS,
    }),
  )
  .then('confirm', { out: t.string, run: (c) => TE.right(`${c.stock.from}, ${c.payment.receipt}`) })
  .end()
