/**
 * A trip: hotel, flight and car are booked side by side, then the card is charged, then the tickets
 * go out. When one booking is refused the others are cancelled; once the card is charged nothing
 * is.
 */
import { irreversible, saga } from '@sagalog/saga'
import * as E from 'fp-ts/lib/Either.js'
import type { Option } from 'fp-ts/lib/Option.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import * as t from 'io-ts'

/**
 * What a booking site offers. The same key books once, and cancelling what was never booked is
 * fine.
 */
export interface BookingSite {
  /** The number of the booking, or undefined when nothing is free. */
  book(key: string, city: string): Promise<string | undefined>
  cancel(key: string): Promise<void>
}
export interface Card {
  charge(key: string, cents: number): Promise<string | undefined>
}
export interface Sites {
  readonly hotels: BookingSite
  readonly flights: BookingSite
  readonly cars: BookingSite
  readonly card: Card
  mail(key: string, text: string): Promise<void>
}

export const Trip = t.type({ traveller: t.string, city: t.string, cents: t.number }, 'Trip')
export type Trip = t.TypeOf<typeof Trip>

interface Context {
  readonly input: Trip
}

/** A booking at one site, in the form of a step. */
function booking(site: BookingSite, what: string) {
  return {
    out: t.string,
    timeoutMs: () => 10_000,
    run: ({ input }: Context, m: { readonly key: string }) => {
      return async () => {
        const number = await site.book(m.key, input.city)
        return number === undefined ? E.left({ full: what }) : E.right(number)
      }
    },
    // By key: it does not matter whether the booking is known to have been made.
    undo: (_: Context, _booked: Option<string>, m: { readonly key: string }) => async () => {
      await site.cancel(m.key)
      return E.right(undefined)
    },
  }
}

/** The saga over these sites. */
export function tripSaga({ hotels, flights, cars, card, mail }: Sites) {
  return saga('trip', 1, Trip)
    .step('offer', {
      out: t.null,
      run: ({ input }, m) => sent(mail(m.key, `your trip to ${input.city}`)),
      undo: irreversible('a mail cannot be called back; it promises nothing'),
    })
    .all((step) => ({
      hotel: step(booking(hotels, 'hotel')),
      flight: step(booking(flights, 'flight')),
      car: step({ ...booking(cars, 'car'), limit: { name: 'cars', concurrency: 2 } }),
    }))
    .pivot('pay', {
      out: t.string,
      run: (c, m) => async () => {
        const receipt = await card.charge(m.key, c.input.cents)
        return receipt === undefined ? E.left({ declined: c.input.cents }) : E.right(receipt)
      },
    })
    .then('tickets', {
      out: t.null,
      run: (c, m) => sent(mail(m.key, `${c.hotel}, ${c.flight}, ${c.car}: ${c.pay}`)),
    })
    .end()
}

function sent(mail: Promise<void>): TaskEither<never, null> {
  return async () => {
    await mail
    return E.right(null)
  }
}
