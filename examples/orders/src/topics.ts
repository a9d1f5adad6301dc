/**
 * Everything that the demo's parts say to each other: topics, commands, replies and the events of
 * the services' streams. Nothing here decides anything.
 */
import { topic } from '@sagalog/client'
import { defineEvents, type EventsOf } from '@sagalog/event-store'
import * as t from 'io-ts'

/** Of each topic: customers are spread over them, so this bounds what runs at the same time. */
export const QUEUES = 64

export const INTAKE_GROUP = 'order-intake'
export const INVENTORY_GROUP = 'inventory'
export const PAYMENT_GROUP = 'payment'
export const SAGA_GROUP = 'order-sagas'

/** What a saga is started with. All that it ever needs, its patience included, is in here. */
export const OrderInput = t.type(
  {
    order: t.number,
    customer: t.string,
    /** The number of this order among those of its customer, from 1. */
    place: t.number,
    quarter: t.string,
    month: t.string,
    cds: t.number,
    cents: t.number,
    /** How long it waits for the payment service, in milliseconds. */
    patienceMs: t.number,
  },
  'OrderInput',
)
export type OrderInput = t.TypeOf<typeof OrderInput>

const stockOrder = { order: t.number, customer: t.string, quarter: t.string, cds: t.number }
const paymentOrder = { order: t.number, customer: t.string, month: t.string, cents: t.number }

export const StockCommand = t.union(
  [
    t.type({ type: t.literal('Reserve'), ...stockOrder }),
    t.type({ type: t.literal('Release'), ...stockOrder }),
  ],
  'StockCommand',
)
export type StockCommand = t.TypeOf<typeof StockCommand>

export const PaymentCommand = t.union(
  [
    /** `isLate` marks a charge that comes again from the late topic. */
    t.type({ type: t.literal('Charge'), ...paymentOrder, isLate: t.boolean }),
    t.type({ type: t.literal('Refund'), ...paymentOrder }),
  ],
  'PaymentCommand',
)
export type PaymentCommand = t.TypeOf<typeof PaymentCommand>

/** Why a service said no: the limit that the order would go above. */
export const LimitReached = t.type({ limit: t.number }, 'LimitReached')
export const Reservation = t.type({ cds: t.number }, 'Reservation')
/** What a person says about an order above the limit. */
export const Approval = t.type({ by: t.string, isApproved: t.boolean }, 'Approval')
export const Receipt = t.type({ cents: t.number }, 'Receipt')
export const Confirmation = t.type({ order: t.number, cents: t.number }, 'Confirmation')

export const inventoryCommands = topic('inventory-commands', StockCommand, { queues: QUEUES })
export const paymentCommands = topic('payment-commands', PaymentCommand, { queues: QUEUES })
/** Charges that are kept back until their undo has been processed. */
export const paymentLate = topic('payment-late', PaymentCommand, { queues: QUEUES })

const stockEvent = t.type({ order: t.number, quarter: t.string, cds: t.number })
const paymentEvent = t.type({ order: t.number, month: t.string, cents: t.number })

/** One stream per customer. */
export const InventoryEvents = defineEvents('inventory', {
  Reserved: stockEvent,
  ReserveRefused: stockEvent,
  Released: stockEvent,
})
export type InventoryEvent = EventsOf<typeof InventoryEvents>

/** One stream per customer. */
export const PaymentEvents = defineEvents('payment', {
  Charged: paymentEvent,
  ChargeRefused: paymentEvent,
  Refunded: paymentEvent,
  /** The charge was taken back before it was made: from here on it must be refused. */
  Fenced: paymentEvent,
  LateChargeFenced: paymentEvent,
})
export type PaymentEvent = EventsOf<typeof PaymentEvents>

/** Above so many cents a person is asked, after the stock is reserved and before the charge. */
export const APPROVAL_ABOVE_CENTS = 8_000
/** What that person says. */
export const isApproved = (order: number): boolean => order % 7 !== 0
/** Whose reply is withheld: the service decides, the saga never hears of it. */
export const isReplyWithheld = (order: number): boolean => order % 97 === 0
/** Whose charge is kept back until its undo has been processed. */
export const isChargeLate = (order: number): boolean => order % 97 === 1
/** Whose second confirmation is dropped, so that only a check-back can decide the half. */
export const isConfirmationDropped = (order: number): boolean => order % 101 === 0

export const DAY_MS = 24 * 60 * 60 * 1_000
const SHORT_PATIENCE_MS = 250

/** Short for the orders that get no answer, a day for all others: no clock decides their fate. */
export function patienceMs(order: number): number {
  return isReplyWithheld(order) || isChargeLate(order) ? SHORT_PATIENCE_MS : DAY_MS
}
