/** The kit for users: a saga told what goes wrong, and whether its tests notice a missing undo. */
import { type Saga, saga } from '@sagalog/saga'
import { expectUndosAreTested, sagaTest } from '@sagalog/saga/testing'
import * as TE from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { anOrder, type OrderInput, placeOrder } from './orders.js'

const declined = { tag: 'declined', limit: 5 }
const order = sagaTest(placeOrder, { stock: { left: 3 }, payment: { receipt: 'r' } }).input(
  anOrder(1),
)

describe('a test of a saga', () => {
  it('says which way it went', async () => {
    const { outcome, results } = await order.expectTrace(['stock', 'payment', 'confirm'])
    expect(outcome).toBe('completed')
    expect(results).toMatchObject({ stock: { left: 3 }, payment: { receipt: 'r' } })
    await order.fail('payment', declined).expectTrace(['stock', 'payment', 'undo stock'])
    await order.lost('payment').expectTrace(['stock', 'payment', 'undo payment', 'undo stock'])
    await order.cancelAt('payment').expectOutcome('compensated')
  })

  it('shows the difference when it went another way', async () => {
    await expect(order.fail('stock', { tag: 'out-of-stock' }).expectTrace(['stock', 'payment']))
      .rejects.toThrow(`place-order took another way (- expected, + found), and is compensated:
    stock
  - payment`)
    await expect(order.expectOutcome('compensated')).rejects.toThrow(
      'place-order is completed, not compensated; it went stock, payment, confirm',
    )
  })

  it('asks for the answer of a service that it has no fake for', async () => {
    await expect(sagaTest(placeOrder).input(anOrder(1)).run()).rejects.toThrow('a fake for stock')
  })

  it('runs local steps, with hiccups, to their limit', async () => {
    const bank = saga('bank', 1, t.number)
      .signal('ok', { codec: t.boolean })
      .step('hold', {
        out: t.string,
        retry: { times: 2 },
        run: () => TE.right('h'),
        undo: () => TE.right(undefined),
      })
      .then('take', { out: t.string, run: (c) => TE.right(`${c.hold}!`) })
      .end()
    const test = sagaTest(bank).input(5)
    expect((await test.run()).why).toBe('it waits for ok')
    const said = test.signal('ok', true)
    expect((await said.run()).results).toMatchObject({ take: 'h!' })
    await said.hiccup('hold', 1).expectTrace(['hold', 'hold (attempt 2)', 'take'])
    await said.hiccup('hold', 2).expectTrace(['hold', 'hold (attempt 2)', 'undo hold'])
    await said.hiccup('hold', 2).hiccupUndo('hold', 2).expectOutcome('parked')
  })
})

describe('dropping each undo in turn', () => {
  const fakes = { stock: { left: 3 }, payment: { receipt: 'r' } }
  const strong = async (tested: Saga<OrderInput, unknown, unknown>): Promise<void> => {
    const test = sagaTest(tested, fakes).input(anOrder(1))
    await test.lost('payment').expectTrace(['stock', 'payment', 'undo payment', 'undo stock'])
  }
  const weak = async (tested: Saga<OrderInput, unknown, unknown>): Promise<void> => {
    const test = sagaTest(tested, fakes).input(anOrder(1))
    await test.fail('payment', declined).expectTrace(['stock', 'payment', 'undo stock'])
  }

  it('is noticed by tests that look at each', async () => {
    await expect(expectUndosAreTested(placeOrder, strong)).resolves.toBeUndefined()
  })

  it('names the undo that no test looks at', async () => {
    await expect(expectUndosAreTested(placeOrder, weak)).rejects.toThrow(
      'no test notices that an undo of place-order is missing: payment',
    )
  })
})
