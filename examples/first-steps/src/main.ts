/** The first thirty lines of the README, as a program. It keeps its data in `./data`. */
import * as t from 'io-ts'
import { appendIn, defineEvents, Sagalog, topic } from 'sagalog'

const Orders = topic('orders', t.type({ id: t.string, customer: t.string, cents: t.number }))
const Ledger = defineEvents('ledger', { Charged: t.type({ order: t.string, cents: t.number }) })

const app = await Sagalog.open({ dir: './data' })
await app.ensureTopic(Orders, { queues: 4 })
await app.events.ensureCategory(Ledger, { queues: 4 })

// What a handler appends and sends and its acknowledgement are one commit: all of it, or nothing.
const billing = app.consumer({ group: 'billing', instance: 'one' })
const charged = new Promise<void>((resolve) => {
  billing.listen(Orders, async ({ body }, tx) => {
    const event = Ledger.make.Charged({ order: body.id, cents: body.cents })
    appendIn(tx, Ledger, body.customer, [event], { expected: 'any' })
    tx.onCommitted(() => resolve())
  })
})
await billing.start()

// Resolves when the message is on the disk. Messages of one sharding key keep their order.
const shop = app.producer({ group: 'shop' })
const order = { id: 'o-1', customer: 'ada', cents: 1250 }
const { queueId, queueOffset } = await shop.send(Orders, order, { shardingKey: order.customer })
console.log(`stored as message ${queueOffset} of queue ${queueId}`)

await charged
const { events, version } = await app.events.read(Ledger, 'ada')
console.log(`the ledger of ada is at version ${version}:`, events.at(-1))
await app.close()
