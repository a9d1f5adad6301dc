/**
 * Places orders in the shop's own database, and ships what was placed. An order may say where the
 * process is to be killed: `before` or `after` the commit of the database. It runs until Ctrl-C.
 *
 * usage: node dist/main.js DIRECTORY [ORDER:CENTS[:before|:after]]...
 */
import { PGlite } from '@electric-sql/pglite'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Sagalog } from 'sagalog'
import { checkBackOf, createTables, Placed, placeOrder } from './shop.js'

const [directory = './data', ...orders] = process.argv.slice(2)
mkdirSync(directory, { recursive: true })
const db = await PGlite.create(join(directory, 'database'))
await createTables(db)
const transactions = { checkAfterMs: 500, checkEveryMs: 500 }
const app = await Sagalog.open({ dir: join(directory, 'log'), transactions })
await app.ensureTopic(Placed)

const consumer = app.consumer({ group: 'shipping', instance: 'one', from: 'first' })
consumer.listen(Placed, async ({ body }, tx) => {
  tx.onCommitted(() => console.log(`shipped ${body.order} for ${body.cents} cents`))
})
await consumer.start()

const checkBack = checkBackOf(db)
const producer = app.producer({
  group: 'shop',
  checkBack: async (half, message) => {
    const decision = await checkBack(half, message)
    console.log(`asked about ${message.keys.join(' ')}: ${decision}`)
    return decision
  },
})

const die = (isNow: boolean) => (): void => {
  if (isNow) process.kill(process.pid, 'SIGKILL')
}
for (const text of orders) {
  const [order = '', cents, moment] = text.split(':')
  const moments = { before: die(moment === 'before'), after: die(moment === 'after') }
  const isPlaced = await placeOrder({ db, producer }, { order, cents: Number(cents) }, moments)
  console.log(`${isPlaced ? 'placed' : 'refused'} ${order}`)
}

async function stop(): Promise<void> {
  producer.close()
  await app.close()
  const { rows } = await db.query<{ id: string }>('select id from orders order by id')
  console.log(`in the database: ${rows.map(({ id }) => id).join(' ')}`)
  await db.close()
}
process.once('SIGINT', () => void stop())
process.once('SIGTERM', () => void stop())
