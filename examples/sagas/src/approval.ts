/**
 * An order whose payment may be in doubt and, above a limit, needs a person: written with async
 * functions where a refusal is thrown.
 */
import { saga, refusable, Refuse } from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'

export interface Bank {
  /** Holds the money under the key; undefined when declined. It may throw, or never answer. */
  hold(key: string, cents: number): Promise<string | undefined>
  /** Takes the hold of a key back, also one that nobody knows of. */
  release(key: string): Promise<void>
  take(key: string, hold: string): Promise<string>
}

export const APPROVAL_ABOVE_CENTS = 100_000
const WEEK_MS = 7 * 24 * 60 * 60 * 1_000

export const Order = t.type({ order: t.string, cents: t.number }, 'Order')
export const Approval = t.type({ by: t.string, isApproved: t.boolean }, 'Approval')

/**
 * Orders above the limit wait for `signal({ businessKey: order }, 'approval', { by, isApproved })`:
 * whoever approves knows the number of the order.
 */
export function approvedOrderSaga(bank: Bank) {
  return saga('approved-order', 1, Order, {
    deadlineMs: () => WEEK_MS,
    businessKey: ({ order }) => order,
  })
    .step('hold', {
      out: t.string,
      retry: { times: 3, firstMs: 20 },
      timeoutMs: () => 300,
      run: (c, m) =>
        refusable(async () => {
          const hold = await bank.hold(m.key, c.input.cents)
          if (hold === undefined) throw new Refuse('declined', { cents: c.input.cents })
          return hold
        }),
      undo: (_c, _done, m) => async () => {
        await bank.release(m.key)
        return E.right(undefined)
      },
    })
    .signalWhen('approval', (c) => c.input.cents > APPROVAL_ABOVE_CENTS, {
      codec: Approval,
      ask: 'May this order be paid?',
      accept: (_c, answer) =>
        answer.isApproved ? E.right(answer) : E.left({ refusedBy: answer.by }),
    })
    .pivot('take', {
      out: t.string,
      run: (c, m) => async () => E.right(await bank.take(m.key, c.hold)),
    })
    .end()
}
