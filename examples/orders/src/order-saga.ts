/**
 * The order as a saga: reserve stock, ask a person above a limit, charge, confirm. Commands and
 * undos are data; the services answer by messages. One customer's orders run one after another, in
 * the order of the file.
 */
import { remote, saga } from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import type { Order } from './order-file.js'
import {
  Approval,
  APPROVAL_ABOVE_CENTS,
  Confirmation,
  DAY_MS,
  inventoryCommands,
  LimitReached,
  OrderInput,
  patienceMs,
  paymentCommands,
  Receipt,
  Reservation,
} from './topics.js'

export const orderSaga = saga('order', 1, OrderInput, {
  lane: ({ customer, place }) => ({ key: customer, place }),
})
  .step(
    'stock',
    remote({
      to: inventoryCommands,
      out: Reservation,
      refusal: LimitReached,
      run: ({ input: { order, customer, quarter, cds } }) => ({
        type: 'Reserve',
        order,
        customer,
        quarter,
        cds,
      }),
      undo: ({ input: { order, customer, quarter, cds } }) => ({
        type: 'Release',
        order,
        customer,
        quarter,
        cds,
      }),
      timeoutMs: () => DAY_MS,
    }),
  )
  .signalWhen('approval', ({ input }) => input.cents > APPROVAL_ABOVE_CENTS, {
    codec: Approval,
    ask: 'May this order be charged?',
    accept: (_, answer) =>
      answer.isApproved ? E.right(answer) : E.left({ notApprovedBy: answer.by }),
  })
  .step(
    'payment',
    remote({
      to: paymentCommands,
      out: Receipt,
      refusal: LimitReached,
      run: ({ input: { order, customer, month, cents } }) => ({
        type: 'Charge',
        order,
        customer,
        month,
        cents,
        isLate: false,
      }),
      undo: ({ input: { order, customer, month, cents } }) => ({
        type: 'Refund',
        order,
        customer,
        month,
        cents,
      }),
      timeoutMs: ({ input }) => input.patienceMs,
    }),
  )
  .then('confirm', {
    out: Confirmation,
    run: ({ input, payment }) => TE.right({ order: input.order, cents: payment.cents }),
  })
  .end()

/** The id of an order's saga. */
export const sagaIdOf = (order: number): string => `order-${order}`

/** The order of a saga's id, or undefined when the saga is none of ours. */
export function orderOfSaga(sagaId: string): number | undefined {
  const match = /^order-(\d{1,9})$/.exec(sagaId)
  return match === null ? undefined : Number(match[1])
}

/** What the saga of an order is started with; `place` counts the orders of its customer from 1. */
export function inputOf(order: Order, place: number): OrderInput {
  const { n, customer, quarter, month, cds, cents } = order
  return { order: n, customer, place, quarter, month, cds, cents, patienceMs: patienceMs(n) }
}
