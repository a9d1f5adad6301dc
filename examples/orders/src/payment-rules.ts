/**
 * What a customer may spend, as a decider over the customer's stream: at most 10,000 unrefunded
 * cents in a calendar month. Pure. Taking back a charge that was never made leaves a fence, an
 * event in the same stream, and a charge that comes after its fence is refused by it.
 */
import { decider } from '@sagalog/event-store'
import * as E from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { PaymentEvents, type PaymentEvent } from './topics.js'

export const CENTS_PER_MONTH_MAX = 10_000

export interface PaymentState {
  /** Unrefunded cents by month. */
  readonly spent: Readonly<Record<string, number>>
  /** The charges that can still be refunded, by order. */
  readonly charged: Readonly<Record<number, number>>
  /** The orders whose charge must be refused from now on. */
  readonly fenced: Readonly<Record<number, true>>
}

const Request = t.type({ order: t.number, month: t.string, cents: t.number })

const { make } = PaymentEvents
type Decided = E.Either<never, readonly PaymentEvent[]>

function spending(
  state: PaymentState,
  month: string,
  by: number,
): Readonly<Record<string, number>> {
  return { ...state.spent, [month]: (state.spent[month] ?? 0) + by }
}

const initial: PaymentState = { spent: {}, charged: {}, fenced: {} }

export const paymentRules = decider(PaymentEvents, initial)
  .evolve({
    Charged: (state, { order, month, cents }) => ({
      ...state,
      spent: spending(state, month, cents),
      charged: { ...state.charged, [order]: cents },
    }),
    ChargeRefused: (state) => state,
    Refunded: (state, { order, month, cents }) => {
      const { [order]: _refunded, ...charged } = state.charged
      return { ...state, spent: spending(state, month, -cents), charged }
    },
    Fenced: (state, { order }) => ({ ...state, fenced: { ...state.fenced, [order]: true } }),
    LateChargeFenced: (state) => state,
  })
  .decide(
    { Charge: Request, Refund: Request },
    {
      Charge: (request, state): Decided => {
        if (state.fenced[request.order] === true) return E.right([make.LateChargeFenced(request)])
        const used = state.spent[request.month] ?? 0
        const hasRoom = used + request.cents <= CENTS_PER_MONTH_MAX
        return E.right([hasRoom ? make.Charged(request) : make.ChargeRefused(request)])
      },
      Refund: (request, state): Decided => {
        const wasCharged = state.charged[request.order] !== undefined
        return E.right([wasCharged ? make.Refunded(request) : make.Fenced(request)])
      },
    },
  )
