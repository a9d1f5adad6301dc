/**
 * The two services. Each writes down what it did in streams of its own, in the commit of its
 * answer: killed at any instant, it has done a command and answered it, or neither.
 */
import type { Connection } from '@sagalog/client'
import { appendIn, createEventStore, defineEvents } from '@sagalog/event-store'
import { Refuse, type ServedCommands, serveCommands } from '@sagalog/saga'
import * as t from 'io-ts'
import { PaymentCommands, StockCommands } from './commands.js'

export const StockEvents = defineEvents('three-shelves', {
  Taken: t.type({ order: t.string, count: t.number }),
  PutBack: t.type({ order: t.string, count: t.number }),
})
export const PaymentEvents = defineEvents('three-charges', {
  Charged: t.type({ order: t.string, cents: t.number }),
})

const ON_EACH_SHELF = 5
const CENTS_MAX = 10_000
const queues = 4

/** Shelves with five of each item. */
export async function stockService(connection: Connection): Promise<ServedCommands> {
  const store = createEventStore(connection)
  await store.ensureCategory(StockEvents, { queues })
  return serveCommands(connection, StockCommands, {
    group: 'three-stock',
    instance: 'stock-1',
    queues,
    run: async ({ order, item, count }, { tx }) => {
      const { events, version } = await store.read(StockEvents, item)
      const taken = events.reduce(
        (sum, { type, data }) => sum + (type === 'Taken' ? data.count : -data.count),
        0,
      )
      if (taken + count > ON_EACH_SHELF) throw new Refuse('sold-out', { item })
      // Another order of the item may come first: then this commit is refused, and tried again.
      const event = StockEvents.make.Taken({ order, count })
      appendIn(tx, StockEvents, item, [event], { expected: version })
      console.log(`took ${count} ${item} for ${order}`)
      return { from: `shelf of ${item}` }
    },
    undo: async ({ order, item, count }, done, { tx }) => {
      if (done._tag === 'None') return
      const event = StockEvents.make.PutBack({ order, count })
      appendIn(tx, StockEvents, item, [event], { expected: 'any' })
      console.log(`put ${count} ${item} of ${order} back`)
    },
  })
}

/** Charges up to a limit. It stands at the pivot: nothing is ever taken back. */
export async function paymentService(connection: Connection): Promise<ServedCommands> {
  const store = createEventStore(connection)
  await store.ensureCategory(PaymentEvents, { queues })
  return serveCommands(connection, PaymentCommands, {
    group: 'three-payment',
    instance: 'payment-1',
    queues,
    run: async ({ order, cents }, { tx }) => {
      if (cents > CENTS_MAX) throw new Refuse('above-the-limit', { cents })
      const event = PaymentEvents.make.Charged({ order, cents })
      appendIn(tx, PaymentEvents, order, [event], { expected: 'empty' })
      console.log(`charged ${cents} cents for ${order}`)
      return { receipt: `receipt of ${order}` }
    },
    undo: async () => {},
  })
}
