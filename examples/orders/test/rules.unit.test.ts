import { given } from '@sagalog/event-store'
import { test } from 'vitest'
import { inventoryRules } from '../src/inventory-rules.js'
import { paymentRules } from '../src/payment-rules.js'
import { InventoryEvents, PaymentEvents } from '../src/topics.js'

const stock = { order: 1, quarter: '1997-Q1', cds: 6 }
const { Reserved, ReserveRefused, Released } = InventoryEvents.make

test('stock is held until it is released', () => {
  const next = { order: 2, quarter: '1997-Q1', cds: 5 }
  given(inventoryRules).when({ type: 'Reserve', data: stock }).then(Reserved(stock))
  given(inventoryRules, Reserved(stock))
    .when({ type: 'Reserve', data: next })
    .then(ReserveRefused(next))
  given(inventoryRules, Reserved(stock), Released(stock))
    .when({ type: 'Reserve', data: next })
    .then(Reserved(next))
  const later = { ...next, quarter: '1997-Q2' }
  given(inventoryRules, Reserved(stock))
    .when({ type: 'Reserve', data: later })
    .then(Reserved(later))
})

test('stock is released once, and only what was reserved', () => {
  given(inventoryRules, Reserved(stock))
    .when({ type: 'Release', data: stock })
    .then(Released(stock))
  given(inventoryRules, ReserveRefused(stock)).when({ type: 'Release', data: stock }).nothing()
  given(inventoryRules, Reserved(stock), Released(stock))
    .when({ type: 'Release', data: stock })
    .nothing()
})

const money = { order: 1, month: '1997-01', cents: 6_000 }
const { Charged, ChargeRefused, Refunded, Fenced, LateChargeFenced } = PaymentEvents.make

test('a charge counts until it is refunded', () => {
  const next = { order: 2, month: '1997-01', cents: 4_001 }
  given(paymentRules).when({ type: 'Charge', data: money }).then(Charged(money))
  given(paymentRules, Charged(money)).when({ type: 'Charge', data: next }).then(ChargeRefused(next))
  given(paymentRules, Charged(money), Refunded(money))
    .when({ type: 'Charge', data: next })
    .then(Charged(next))
})

test('taking back a charge that was not made leaves a fence, and the late charge meets it', () => {
  given(paymentRules, Charged(money)).when({ type: 'Refund', data: money }).then(Refunded(money))
  given(paymentRules).when({ type: 'Refund', data: money }).then(Fenced(money))
  given(paymentRules, ChargeRefused(money))
    .when({ type: 'Refund', data: money })
    .then(Fenced(money))
  given(paymentRules, Fenced(money))
    .when({ type: 'Charge', data: money })
    .then(LateChargeFenced(money))
})
