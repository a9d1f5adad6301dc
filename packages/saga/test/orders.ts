/** The saga that the tests of this package share: an order over two services and a local end. */
import { topic } from '@sagalog/client'
import { type LanePlace, remote, type Saga, saga } from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import * as O from 'fp-ts/lib/Option.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'

export const OrderInput = t.type(
  { order: t.number, customer: t.string, place: t.number, cents: t.number, patienceMs: t.number },
  'OrderInput',
)
export type OrderInput = t.TypeOf<typeof OrderInput>

export const Reserved = t.type({ left: t.number }, 'Reserved')
export const OutOfStock = t.type({ tag: t.literal('out-of-stock') }, 'OutOfStock')
export const Charged = t.type({ receipt: t.string }, 'Charged')
export const Declined = t.type({ tag: t.literal('declined'), limit: t.number }, 'Declined')

export const StockCommand = t.type(
  { order: t.number, action: t.union([t.literal('reserve'), t.literal('release')]) },
  'StockCommand',
)
export const PaymentCommand = t.type(
  { order: t.number, cents: t.number, receipt: t.union([t.string, t.null]) },
  'PaymentCommand',
)
export const StockCommands = topic('stock-commands', StockCommand, { queues: 4 })
export const PaymentCommands = topic('payment-commands', PaymentCommand, { queues: 4 })
export const Confirmations = topic('confirmations', t.type({ order: t.number }), { queues: 1 })

const stock = remote({
  to: StockCommands,
  out: Reserved,
  refusal: OutOfStock,
  run: (c: { readonly input: OrderInput }) => ({ order: c.input.order, action: 'reserve' }),
  undo: (c) => ({ order: c.input.order, action: 'release' }),
})

function orderSaga(name: string, lane?: (input: OrderInput) => LanePlace) {
  return saga(name, 1, OrderInput, lane === undefined ? {} : { lane })
    .step('stock', stock)
    .step(
      'payment',
      remote({
        to: PaymentCommands,
        out: Charged,
        refusal: Declined,
        run: (c) => ({ order: c.input.order, cents: c.input.cents + c.stock.left, receipt: null }),
        undo: (c, done) => ({
          order: c.input.order,
          cents: -c.input.cents,
          receipt: O.isSome(done) ? done.value.receipt : null,
        }),
        timeoutMs: (c) => c.input.patienceMs,
      }),
    )
    .then('confirm', {
      out: t.void,
      run: (c, m) => async () => {
        m.tx.send(Confirmations, { order: c.input.order }, { shardingKey: c.payment.receipt })
        return E.right(undefined)
      },
    })
    .end()
}

/** Each order on its own. */
export const placeOrder = orderSaga('place-order')

/** One customer's orders one after another. */
export const placeOrderInLane = orderSaga('place-order-lane', ({ customer, place }) => ({
  key: customer,
  place,
}))

export const anOrder = (order: number, over: Partial<OrderInput> = {}): OrderInput => ({
  order,
  customer: 'c1',
  place: order,
  cents: 100,
  patienceMs: 1_000,
  ...over,
})

export type AnySaga = Saga<OrderInput, unknown, unknown>
export const succeed = TE.right
